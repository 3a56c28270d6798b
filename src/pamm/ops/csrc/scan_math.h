/* Vectors of one instruction set, the exponential and the softplus on them, and loads and stores of any dtype.
 *
 * Written with the vector extensions of GCC and Clang: the width follows the compiler's target.
 */
#include <math.h>
#include <string.h>

#include "scan.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#ifdef PAMM_WIDE
typedef double real;
typedef int64_t whole;
typedef uint64_t bits;
#else
typedef float real;
typedef int32_t whole;
typedef uint32_t bits;
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef whole veci __attribute__((vector_size(VECTOR_BYTES)));
typedef bits vecu __attribute__((vector_size(VECTOR_BYTES)));

enum { LANES = VECTOR_BYTES / sizeof(real) };

#define INLINE static inline __attribute__((always_inline))

INLINE vec vec_of(real value) { return value - (vec){0}; }

/* mask ? yes : no, lane by lane */
INLINE vec vec_select(veci mask, vec yes, vec no) {
    return (vec)(((veci)yes & mask) | ((veci)no & ~mask));
}

#ifdef PAMM_WIDE

/* 2^t, by the library: this precision serves tests and rare calls */
INLINE vec vec_exp2(vec t) {
    for (int lane = 0; lane < LANES; lane++) t[lane] = exp2(t[lane]);
    return t;
}

/* softplus(v), and its derivative */
INLINE vec vec_softplus(vec v, vec *slope) {
    vec result;
    for (int lane = 0; lane < LANES; lane++) {
        double u = exp(-fabs(v[lane]));
        result[lane] = (v[lane] > 0 ? v[lane] : v[lane] != v[lane] ? v[lane] : 0) + log1p(u);
        (*slope)[lane] = (v[lane] >= 0 ? 1 : u) / (1 + u);
    }
    return result;
}

#else

/* 2^t to 1.5 ulp: 0 below -126.5, infinite above 128, NaN for NaN.
 *
 * The integer part, found by adding a number whose last place is 1, goes into the exponent; a polynomial of degree 6,
 * fitted to 2^f, gives the fraction f in [-1/2, 1/2] to 1e-8. */
INLINE vec vec_exp2(vec t) {
    t = vec_select(t < -127.0f, vec_of(-127.0f), t);
    t = vec_select(t > 128.0f, vec_of(128.0f), t);
    vec shifted = t + 12582912.0f;
    vec f = t - (shifted - 12582912.0f);
    vec p = vec_of(1.534581178e-04f);
    p = p * f + 1.339993142e-03f;
    p = p * f + 9.618488960e-03f;
    p = p * f + 5.550328776e-02f;
    p = p * f + 2.402264689e-01f;
    p = p * f + 6.931472057e-01f;
    p = p * f + 1.0f;
    return p * (vec)(((vecu)shifted + 127u) << 23);
}

/* softplus(v), and its derivative: max(v, 0) + log1p(u) with u = exp(-|v|) and log1p(u) = 2 artanh(u / (2 + u)) */
INLINE vec vec_softplus(vec v, vec *slope) {
    veci positive = v >= 0.0f;
    vec u = vec_exp2(vec_select(positive, v, -v) * -1.4426950408889634f);
    vec s = u / (u + 2.0f), q = s * s;
    vec p = vec_of(2.0f / 15.0f);
    p = p * q + 2.0f / 13.0f;
    p = p * q + 2.0f / 11.0f;
    p = p * q + 2.0f / 9.0f;
    p = p * q + 2.0f / 7.0f;
    p = p * q + 2.0f / 5.0f;
    p = p * q + 2.0f / 3.0f;
    p = p * q + 2.0f;
    *slope = vec_select(positive, vec_of(1.0f), u) / (u + 1.0f);
    return vec_select(v < 0.0f, vec_of(0.0f), v) + p * s;
}

#endif

#ifdef PAMM_WIDE

/* Add the sums over the lanes of four vectors to four numbers. */
INLINE void add_sums(real *to, const vec v[4]) {
    for (int n = 0; n < 4; n++)
        for (int lane = 0; lane < LANES; lane++) to[n] += v[n][lane];
}

#else

typedef float quad __attribute__((vector_size(16)));

/* Sums of every fourth lane. */
INLINE quad fold(vec v) {
#if VECTOR_BYTES == 64
    typedef float half __attribute__((vector_size(32)));
    const half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                   __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    const vec h = v;
#endif
#if VECTOR_BYTES >= 32
    return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#else
    return h;
#endif
}

/* Add the sums over the lanes of four vectors to four numbers: a transposition that adds on its way. */
INLINE void add_sums(real *to, const vec v[4]) {
    const quad a = fold(v[0]), b = fold(v[1]), c = fold(v[2]), d = fold(v[3]);
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    quad sums;
    memcpy(&sums, to, sizeof sums);
    sums += __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    memcpy(to, &sums, sizeof sums);
}

#endif

INLINE vec vec_load(const real *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vec_store(real *to, vec v) { memcpy(to, &v, sizeof v); }

INLINE float from_bfloat16(uint16_t value) {
    uint32_t pattern = (uint32_t)value << 16;
    float result;
    memcpy(&result, &pattern, sizeof result);
    return result;
}

/* to the nearest, ties to even; a NaN stays one */
INLINE uint16_t to_bfloat16(float value) {
    uint32_t pattern;
    memcpy(&pattern, &value, sizeof pattern);
    if (value != value) return (uint16_t)((pattern >> 16) | 64);
    return (uint16_t)((pattern + 0x7fff + ((pattern >> 16) & 1)) >> 16);
}

#define READ_ROW(type, convert)                                                                \
    do {                                                                                       \
        const type *from = (const type *)tensor->data + offset;                                \
        if (stride == 1)                                                                       \
            for (int64_t i = 0; i < count; i++) to[i] = (real)convert(from[i]);                \
        else                                                                                   \
            for (int64_t i = 0; i < count; i++) to[i] = (real)convert(from[i * stride]);       \
    } while (0)

/* Read count elements from an offset on, in steps of stride, into the precision of the state; zeros up to room. */
static void read_row(const pamm_tensor *tensor, int64_t offset, int64_t stride, int64_t count, int64_t room, real *to) {
    switch (tensor->dtype) {
    case PAMM_FLOAT32: READ_ROW(float, ); break;
    case PAMM_FLOAT64: READ_ROW(double, ); break;
    case PAMM_BFLOAT16: READ_ROW(uint16_t, from_bfloat16); break;
    case PAMM_FLOAT16: READ_ROW(_Float16, ); break;
    }
    for (int64_t i = count; i < room; i++) to[i] = 0;
}

#define WRITE_ROW(type, convert)                                                               \
    do {                                                                                       \
        type *to = (type *)tensor->data + offset;                                              \
        if (stride == 1)                                                                       \
            for (int64_t i = 0; i < count; i++) to[i] = convert(from[i]);                      \
        else                                                                                   \
            for (int64_t i = 0; i < count; i++) to[i * stride] = convert(from[i]);             \
    } while (0)

/* Write count values as elements from an offset on, in steps of stride. */
static void write_row(const pamm_tensor *tensor, int64_t offset, int64_t stride, int64_t count, const real *from) {
    switch (tensor->dtype) {
    case PAMM_FLOAT32: WRITE_ROW(float, (float)); break;
    case PAMM_FLOAT64: WRITE_ROW(double, (double)); break;
    case PAMM_BFLOAT16: WRITE_ROW(uint16_t, to_bfloat16); break;
    case PAMM_FLOAT16: WRITE_ROW(_Float16, (_Float16)); break;
    }
}
