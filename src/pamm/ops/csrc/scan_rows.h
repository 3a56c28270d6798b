/* Rows of numbers, read from tensors of any dtype and strides into the precision of the state, and written back. */
#include "scan_math.h"

/* WIDTH numbers fill a line of the cache, of LINE bytes; rows lie far apart in memory, so each is asked for AHEAD rows
 * early. */
enum { LINE = 64, WIDTH = LINE / sizeof(real), AHEAD = 16 };

/* Rows of count elements in a tensor. */
typedef struct {
    char *data;
    int64_t between, stride; /* elements from row to row, and within a row */
    int64_t count;
    int32_t dtype;
} rows;

/* The rows that begin at an element of a tensor. */
static rows rows_at(const pamm_tensor *tensor, int64_t element, int64_t between, int64_t stride, int64_t count) {
    return (rows){(char *)tensor->data + element * PAMM_BYTES[tensor->dtype], between, stride, count, tensor->dtype};
}

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

#define READ_ROWS(type, convert)                                                                     \
    for (int64_t row = 0; row < number; row++, to += distance) {                                      \
        const type *in = (const type *)from.data + (start + row) * from.between;                      \
        ask_for((uintptr_t)in + sizeof(type) * AHEAD * from.between, sizeof(type) * from.count);      \
        if (from.stride == 1 && from.count == WIDTH)                                                  \
            for (int i = 0; i < WIDTH; i++) to[i] = (real)convert(in[i]);                             \
        else                                                                                          \
            for (int64_t i = 0; i < from.count; i++) to[i] = (real)convert(in[i * from.stride]);      \
        for (int64_t i = from.count; i < room; i++) to[i] = 0;                                        \
    }

/* Asking beyond the tensor does no harm. */
INLINE void ask_for(uintptr_t address, int64_t bytes) {
    __builtin_prefetch((const void *)address);
    __builtin_prefetch((const void *)(address + bytes - 1));
}

/* Read a number of rows from one on, put them distance apart and fill them with zeros up to the room. */
static void read_rows(rows from, int64_t start, int64_t number, real *to, int64_t distance, int64_t room) {
    switch (from.dtype) {
    case PAMM_FLOAT32: READ_ROWS(float, ) break;
    case PAMM_FLOAT64: READ_ROWS(double, ) break;
    case PAMM_BFLOAT16: READ_ROWS(uint16_t, from_bfloat16) break;
    case PAMM_FLOAT16: READ_ROWS(_Float16, ) break;
    }
}

#define WRITE_ROWS(type, convert)                                                                    \
    for (int64_t row = 0; row < number; row++, from += distance) {                                    \
        type *out = (type *)to.data + (start + row) * to.between;                                     \
        if (to.stride == 1 && to.count == WIDTH)                                                      \
            for (int i = 0; i < WIDTH; i++) out[i] = convert(from[i]);                                \
        else                                                                                          \
            for (int64_t i = 0; i < to.count; i++) out[i * to.stride] = convert(from[i]);             \
    }

/* Write a number of rows that lie distance apart, from one on. */
static void write_rows(rows to, int64_t start, int64_t number, const real *from, int64_t distance) {
    switch (to.dtype) {
    case PAMM_FLOAT32: WRITE_ROWS(float, (float)) break;
    case PAMM_FLOAT64: WRITE_ROWS(double, (double)) break;
    case PAMM_BFLOAT16: WRITE_ROWS(uint16_t, to_bfloat16) break;
    case PAMM_FLOAT16: WRITE_ROWS(_Float16, (_Float16)) break;
    }
}
