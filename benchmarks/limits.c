/* What this processor can do at most, with the vectors and the exponential of the compiled scan.
 *
 * Each function works on memory of its own and returns how many units it did: exponentials, multiply-adds or bytes.
 */
#include "../src/pamm/ops/csrc/scan_math.h"

enum { CHAINS = 12, ROUNDS = 4000000 };

/* Registers alone. */
PAMM_API double exponentials(float *memory) {
    vec sums[CHAINS], rates[CHAINS];
    for (int i = 0; i < CHAINS; i++) sums[i] = rates[i] = vec_load(memory + i * LANES);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CHAINS; i++) sums[i] = vec_exp2(sums[i] * rates[i]);
    for (int i = 0; i < CHAINS; i++) vec_store(memory + i * LANES, sums[i]);
    return (double)ROUNDS * CHAINS * LANES;
}

/* Registers alone. */
PAMM_API double multiply_adds(float *memory) {
    vec sums[CHAINS];
    const vec factor = vec_load(memory), term = vec_load(memory + LANES);
    for (int i = 0; i < CHAINS; i++) sums[i] = vec_load(memory + i * LANES);
    for (int round = 0; round < 4 * ROUNDS; round++) {
        for (int i = 0; i < CHAINS; i++) sums[i] = sums[i] * factor + term;
        __asm__ volatile(""); /* not two rounds in one */
    }
    for (int i = 0; i < CHAINS; i++) vec_store(memory + i * LANES, sums[i]);
    return 4.0 * ROUNDS * CHAINS * LANES;
}

/* Reads from memory, in order: give it more than the caches hold. */
PAMM_API double bytes_read(float *memory, int64_t count) {
    vec sums[8] = {0};
    for (int64_t at = 0; at + 8 * LANES <= count; at += 8 * LANES)
        for (int i = 0; i < 8; i++) sums[i] += vec_load(memory + at + i * LANES);
    for (int i = 0; i < 8; i++) vec_store(memory + i * LANES, sums[i]);
    return (double)count * sizeof(float);
}
