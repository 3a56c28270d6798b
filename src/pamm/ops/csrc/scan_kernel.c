/* The scan for one instruction set and one precision; compiled once for each, under the name PAMM_KERNEL.
 *
 * The channels are cut into blocks of up to PARTS vectors, the states into blocks of BLOCK. A thread takes one batch
 * entry, task and group of blocks of channels, and lays out B and C for it; then for each block of channels the step and
 * the drive Δx, and for each block of states, as long as there is room, exp(ΔA). All of this stays in the cache. Each
 * order then reads the rows of its positions, so that nothing is permuted and the orders share the exponentials.
 *
 * The backward pass runs forward to save the state before each segment of SEGMENT steps, then goes back segment by
 * segment and recomputes the states within.
 */
#include "scan_kernel.h"
#include "scan_work.h"

INLINE vec decay_at(const work *w, int64_t position, int n, int i, int shared) {
    if (shared) return vec_load(w->table + (position * BLOCK + n) * WIDTH + i * LANES);
    return vec_exp2(vec_load(w->step + position * WIDTH + i * LANES) * vec_load(w->rate[n] + i * LANES));
}

INLINE void fill_table(work *w, int parts) {
    for (int64_t l = 0; l < w->call->length; l++)
        for (int n = 0; n < BLOCK; n++)
            for (int i = 0; i < parts; i++)
                vec_store(w->table + (l * BLOCK + n) * WIDTH + i * LANES, decay_at(w, l, n, i, 0));
}

/* One step: h ← a h + Δx B. */
INLINE void advance(const work *w, int64_t position, vec h[BLOCK][PARTS], int parts, int shared) {
    const real *B = w->B + states_at(w, position);
    for (int i = 0; i < parts; i++) {
        const vec drive = vec_load(w->drive + position * WIDTH + i * LANES);
        for (int n = 0; n < BLOCK; n++) h[n][i] = decay_at(w, position, n, i, shared) * h[n][i] + drive * B[n];
    }
}

INLINE void forward_order(work *w, const int64_t *order, int parts, int shared) {
    vec h[BLOCK][PARTS] = {0};
    for (int64_t l = 0; l < w->call->length; l++) {
        const int64_t position = order[l];
        const real *C = w->C + states_at(w, position);
        real *y = w->y + position * WIDTH;
        advance(w, position, h, parts, shared);
        for (int i = 0; i < parts; i++) {
            vec sum = vec_load(y + i * LANES);
            for (int n = 0; n < BLOCK; n++) sum += h[n][i] * C[n];
            vec_store(y + i * LANES, sum);
        }
    }
}

/* Gradients of one segment of an order, from its last step to its first; carry is what comes from the steps after. */
INLINE void backward_segment(work *w, const int64_t *order, int64_t start, int64_t steps, vec carry[BLOCK][PARTS],
                             int parts, int shared) {
    vec states[SEGMENT + 1][BLOCK][PARTS], decays[SEGMENT][BLOCK][PARTS];
    for (int n = 0; n < BLOCK; n++)
        for (int i = 0; i < parts; i++)
            states[0][n][i] = vec_load(w->starts + ((start / SEGMENT) * BLOCK + n) * WIDTH + i * LANES);
    for (int64_t s = 0; s < steps; s++) {
        const int64_t position = order[start + s];
        const real *B = w->B + states_at(w, position);
        vec products[BLOCK] = {0};
        for (int i = 0; i < parts; i++) {
            const vec drive = vec_load(w->drive + position * WIDTH + i * LANES);
            const vec dy = vec_load(w->dy + position * WIDTH + i * LANES);
            for (int n = 0; n < BLOCK; n++) {
                decays[s][n][i] = decay_at(w, position, n, i, shared);
                states[s + 1][n][i] = decays[s][n][i] * states[s][n][i] + drive * B[n];
                products[n] += states[s + 1][n][i] * dy;
            }
        }
        add_sums(w->dC + states_at(w, position), products);
    }
    for (int64_t s = steps - 1; s >= 0; s--) {
        const int64_t position = order[start + s];
        const real *B = w->B + states_at(w, position), *C = w->C + states_at(w, position);
        vec products[BLOCK] = {0};
        for (int i = 0; i < parts; i++) {
            const int64_t here = position * WIDTH + i * LANES;
            const vec dy = vec_load(w->dy + here), step = vec_load(w->step + here), drive = vec_load(w->drive + here);
            vec ddrive = vec_load(w->ddrive + here), dstep = vec_load(w->dstep + here);
            for (int n = 0; n < BLOCK; n++) {
                const vec lambda = dy * C[n] + carry[n][i];
                carry[n][i] = decays[s][n][i] * lambda;
                const vec dexponent = carry[n][i] * states[s][n][i];
                products[n] += lambda * drive;
                ddrive += lambda * B[n];
                dstep += dexponent * vec_load(w->A[n] + i * LANES);
                vec_store(w->dA[n] + i * LANES, vec_load(w->dA[n] + i * LANES) + dexponent * step);
            }
            vec_store(w->ddrive + here, ddrive);
            vec_store(w->dstep + here, dstep);
        }
        add_sums(w->dB + states_at(w, position), products);
    }
}

INLINE void backward_order(work *w, const int64_t *order, int parts, int shared) {
    const int64_t length = w->call->length;
    vec h[BLOCK][PARTS] = {0}, carry[BLOCK][PARTS] = {0};
    for (int64_t l = 0; l < length; l++) {
        if (l % SEGMENT == 0)
            for (int n = 0; n < BLOCK; n++)
                for (int i = 0; i < parts; i++)
                    vec_store(w->starts + ((l / SEGMENT) * BLOCK + n) * WIDTH + i * LANES, h[n][i]);
        advance(w, order[l], h, parts, shared);
    }
    for (int64_t start = (length - 1) / SEGMENT * SEGMENT; start >= 0; start -= SEGMENT) {
        const int64_t left = length - start;
        backward_segment(w, order, start, left < SEGMENT ? left : SEGMENT, carry, parts, shared);
    }
}

INLINE void all_orders(work *w, int backward, int parts, int shared) {
    if (shared) fill_table(w, parts);
    for (int64_t k = 0; k < w->call->orders; k++) {
        const int64_t *order = w->call->order + k * w->call->length;
        if (backward)
            backward_order(w, order, parts, shared);
        else
            forward_order(w, order, parts, shared);
    }
}

/* The same for each number of vectors that hold channels and with or without a table: all constants to the compiler. */
INLINE void run_orders(work *w, int backward) {
    if (w->count <= LANES)
        w->shared ? all_orders(w, backward, 1, 1) : all_orders(w, backward, 1, 0);
    else
        w->shared ? all_orders(w, backward, 2, 1) : all_orders(w, backward, 2, 0);
}

static void forward_block(work *w) {
    const pamm_scan *call = w->call;
    read_channels(w, 0);
    for (int64_t l = 0; l < call->length; l++)
        for (int i = 0; i < WIDTH; i++) w->y[l * WIDTH + i] = (real)call->orders * w->D[i] * w->x[l * WIDTH + i];
    for (w->state = 0; w->state < call->states; w->state += BLOCK) {
        read_rates(w);
        run_orders(w, 0);
    }
    for (int64_t l = 0; l < call->length; l++)
        write_row(&call->y, place(&call->y, w->entry, w->task, l, w->first), call->y.stride[3], w->count,
                  w->y + l * WIDTH);
}

static void backward_block(work *w) {
    const pamm_scan *call = w->call;
    const int64_t rows = call->length * WIDTH;
    read_channels(w, 1);
    memset(w->ddrive, 0, rows * sizeof(real));
    memset(w->dstep, 0, rows * sizeof(real));
    for (w->state = 0; w->state < call->states; w->state += BLOCK) {
        read_rates(w);
        memset(w->dA, 0, sizeof w->dA);
        run_orders(w, 1);
        for (int n = 0; n < BLOCK && w->state + n < call->states; n++)
            write_row(&call->dA, place(&call->dA, w->entry, w->task, w->first, w->state + n), call->dA.stride[2],
                      w->count, w->dA[n]);
    }
    write_channels(w);
}

/* An item is what one thread does at a time, in any order: a batch entry, a task and a group of channels. */
static int64_t items(const pamm_scan *call) { return call->batch * call->tasks * call->groups; }

static int64_t room(const pamm_scan *call, int backward) {
    work w = {.call = call};
    return lay_out(&w, NULL, backward) * (int64_t)sizeof(real) + VECTOR_BYTES;
}

static void item(const pamm_scan *call, int backward, int64_t number, void *memory) {
    const int64_t group = number % call->groups, row = number / call->groups;
    const int64_t blocks = (call->width + WIDTH - 1) / WIDTH;
    const int64_t from = group * blocks / call->groups, to = (group + 1) * blocks / call->groups;
    if (from == to) return; /* its sums are zero already */
    work w = {.call = call, .entry = row / call->tasks, .task = row % call->tasks};
    lay_out(&w, (real *)(((uintptr_t)memory + VECTOR_BYTES - 1) / VECTOR_BYTES * VECTOR_BYTES), backward);
    read_positions(&w);
    if (backward) {
        memset(w.dB, 0, call->length * w.room * sizeof(real));
        memset(w.dC, 0, call->length * w.room * sizeof(real));
    }
    for (int64_t block = from; block < to; block++) {
        w.first = block * WIDTH;
        w.count = call->width - w.first < WIDTH ? call->width - w.first : WIDTH;
        if (backward)
            backward_block(&w);
        else
            forward_block(&w);
    }
    if (backward) {
        write_positions(&call->dB, &w, group, w.dB);
        write_positions(&call->dC, &w, group, w.dC);
    }
}

const pamm_kernel PAMM_KERNEL = {items, room, item};
