/* Vectors of one instruction set: loads and stores, the exponential, the softplus, sums over lanes.
 *
 * Written with the vector extensions of GCC and Clang: the width follows the compiler's target.
 */
#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/* low <= t <= high, in one instruction where there is one; a NaN stays */
INLINE vec vec_clamp(vec t, float low, float high) {
#if VECTOR_BYTES == 64
    return (vec)_mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), (__m512)t));
#elif VECTOR_BYTES == 32
    return (vec)_mm256_min_ps(_mm256_set1_ps(high), _mm256_max_ps(_mm256_set1_ps(low), (__m256)t));
#elif defined(__x86_64__)
    return (vec)_mm_min_ps(_mm_set1_ps(high), _mm_max_ps(_mm_set1_ps(low), (__m128)t));
#else
    t = vec_select(t < low, vec_of(low), t);
    return vec_select(t > high, vec_of(high), t);
#endif
}

/* 2^t to 1.5 ulp: 0 below -125.5 (AVX-512: -149.5), infinite from 128 on, NaN for NaN.
 *
 * The integer part goes into the exponent; a polynomial of degree 6, fitted to 2^f, gives the fraction f in [-1/2, 1/2]
 * to 1e-8. */
INLINE vec vec_exp2(vec t) {
#if VECTOR_BYTES == 64
    t = vec_clamp(t, -160.0f, 130.0f);
    const vec whole_part = (vec)_mm512_roundscale_ps((__m512)t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    t = vec_clamp(t, -126.0f, 128.0f);
    const vec shifted = t + 12582912.0f, whole_part = shifted - 12582912.0f; /* a number whose last place is 1 */
#endif
    const vec f = t - whole_part;
    vec p = vec_of(1.534581178e-04f);
    p = p * f + 1.339993142e-03f;
    p = p * f + 9.618488960e-03f;
    p = p * f + 5.550328776e-02f;
    p = p * f + 2.402264689e-01f;
    p = p * f + 6.931472057e-01f;
    p = p * f + 1.0f;
#if VECTOR_BYTES == 64
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)whole_part);
#else
    return (p + p) * (vec)(((vecu)shifted + 126u) << 23); /* half the power: the whole of 2^128 is no number */
#endif
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

/* Add the sums over the lanes of each of some vectors to as many numbers. */
INLINE void add_sums(real *to, const vec *v, int count) {
    for (int n = 0; n < count; n++)
        for (int lane = 0; lane < LANES; lane++) to[n] += v[n][lane];
}

#else

typedef float quad __attribute__((vector_size(16)));
typedef float oct __attribute__((vector_size(32)));

#if VECTOR_BYTES >= 32

/* Sums of every eighth lane. */
INLINE oct fold_to_eight(vec v) {
#if VECTOR_BYTES == 64
    return (oct)_mm512_castps512_ps256((__m512)v) + (oct)_mm512_extractf32x8_ps((__m512)v, 1);
#else
    return v;
#endif
}

#endif

/* Sums of every fourth lane. */
INLINE quad fold_to_four(vec v) {
#if VECTOR_BYTES >= 32
    const oct h = fold_to_eight(v);
    return __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#else
    return v;
#endif
}

/* Sums over the lanes of four vectors: a transposition that adds on its way. */
INLINE quad sums_of_four(const vec *v) {
    const quad a = fold_to_four(v[0]), b = fold_to_four(v[1]), c = fold_to_four(v[2]), d = fold_to_four(v[3]);
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

#if VECTOR_BYTES >= 32

/* Sums of every fourth lane of a and of b, in turns. */
INLINE oct meet(oct a, oct b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
           __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
}

INLINE oct sums_of_eight(const vec *v) {
    oct pairs[4], quads[2];
    for (int n = 0; n < 4; n++) pairs[n] = meet(fold_to_eight(v[2 * n]), fold_to_eight(v[2 * n + 1]));
    for (int n = 0; n < 2; n++)
        quads[n] = __builtin_shufflevector(pairs[2 * n], pairs[2 * n + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
                   __builtin_shufflevector(pairs[2 * n], pairs[2 * n + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return __builtin_shufflevector(quads[0], quads[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(quads[0], quads[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

#else

INLINE oct sums_of_eight(const vec *v) {
    const quad low = sums_of_four(v), high = sums_of_four(v + 4);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}

#endif

/* Add the sums over the lanes of each of 1, 4 or 8 vectors to as many numbers. */
INLINE void add_sums(real *to, const vec *v, int count) {
    if (count == 8) {
        oct sums;
        memcpy(&sums, to, sizeof sums);
        sums += sums_of_eight(v);
        memcpy(to, &sums, sizeof sums);
    } else if (count == 1) {
        *to += sums_of_four(v)[0];
    } else {
        quad sums;
        memcpy(&sums, to, sizeof sums);
        sums += sums_of_four(v);
        memcpy(to, &sums, sizeof sums);
    }
}

#endif

INLINE vec vec_load(const real *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void vec_store(real *to, vec v) { memcpy(to, &v, sizeof v); }
