/* The selective scan over several orders of the same positions, for CPUs: what callers see.
 *
 * Plain C, called on data pointers; nothing of torch or Python. Letters: b batch, T tasks, L positions, E channels,
 * N states, K orders. The formulas are those of pamm.ops.selective_scan.
 */
#ifndef PAMM_SCAN_H
#define PAMM_SCAN_H

#include <stdint.h>

#define PAMM_API __attribute__((visibility("default")))

enum { PAMM_FLOAT32, PAMM_FLOAT64, PAMM_BFLOAT16, PAMM_FLOAT16 };

/* Bytes of an element of each of these. */
static const int64_t PAMM_BYTES[] = {4, 8, 2, 2};

/* A tensor of up to four dimensions with strides in elements; data is NULL where there is none. */
typedef struct {
    void *data;
    int64_t stride[4];
    int32_t dtype;
} pamm_tensor;

/* OpenMP's GOMP_parallel: runs a function of one argument on a number of threads, the caller's among them. */
typedef void (*pamm_parallel)(void (*function)(void *), void *argument, unsigned threads, unsigned flags);

typedef struct {
    int64_t batch, tasks, length, width, states, orders;
    const int64_t *order; /* (K, L), contiguous: permutations of 0..L-1 */
    pamm_parallel parallel; /* threads of the caller's to work on; NULL starts some for this call */
    int32_t threads;
    int32_t wide; /* state and arithmetic in float64 */
    int32_t level; /* instruction set: index into those this machine can run, 0 for the best */
    pamm_tensor x, delta;     /* (b, T, L, E) */
    pamm_tensor A;            /* (T, E, N) */
    pamm_tensor B, C;         /* (b, T, L, N) */
    pamm_tensor D, bias;      /* (T, E) or NULL */
    pamm_tensor y;            /* (b, T, L, E), output of the forward pass */
    pamm_tensor dy;           /* (b, T, L, E), input of the backward pass */
    pamm_tensor dx, ddelta;   /* (b, T, L, E), outputs of the backward pass, all of them written */
    pamm_tensor dB, dC;       /* (groups, b, T, L, N) state precision, contiguous zeros: to be summed over the groups */
    pamm_tensor dA;           /* (b, T, E, N) state precision, contiguous: to be summed over b */
    pamm_tensor dD, dbias;    /* (b, T, E) likewise, or NULL */
    int64_t groups;           /* how many parts the channels are cut into, for threads and for dB and dC */
} pamm_scan;

/* Both return 0, or 1 if there is no memory for the work of a thread; the outputs are then unfinished. */
PAMM_API int pamm_scan_forward(const pamm_scan *call);
PAMM_API int pamm_scan_backward(const pamm_scan *call);

/* Bytes of a pamm_scan, for callers that may be of another version. */
PAMM_API int64_t pamm_scan_size(void);

/* Number of instruction sets in this build that this machine can run, and their names, best first. */
PAMM_API int pamm_scan_levels(void);
PAMM_API const char *pamm_scan_level(int index);

#endif
