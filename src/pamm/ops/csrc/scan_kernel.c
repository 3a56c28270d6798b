/* The scan for one instruction set and one precision; compiled once for each, under the name PAMM_KERNEL.
 *
 * A thread takes one batch entry, task and group of blocks of channels, and lays out B and C for it; for each block of
 * WIDTH channels the step and the drive Δx; then for each vector of channels and up to MOST states the first order
 * computes exp(ΔA) and leaves it in a table, as long as there is room, that the other orders read. All of this stays in
 * the cache. Each order reads the rows of its positions where they lie: nothing is permuted.
 *
 * The backward pass runs forward to save the state before each segment of SEGMENT steps, then goes back segment by
 * segment and recomputes the states within.
 */
#include "scan_kernel.h"
#include "scan_work.h"

/* A pass over the positions of an order, for one vector of channels. The first four are constants to the compiler. */
typedef struct {
    int states;           /* how many are scanned at once: 1, 4 or MOST */
    int fill;             /* compute the exponentials, not read them */
    int shared;           /* rows of the table by position, not by step of the segment */
    int fields;           /* of a position in channels */
    int64_t length, room; /* numbers of positions, and of states and zeros after them */
    int64_t weights;      /* numbers from position to position in B */
    real *channels, *B, *C, *table, *starts;
    const real *A, *rate; /* (states, WIDTH), at the vector's channels, as is dA */
    real *dA;
} pass;

#define EACH_STATE(n, p) _Pragma("GCC unroll 8") for (int n = 0; n < (p).states; n++)

INLINE real *channels_at(pass p, int64_t position) { return p.channels + position * p.fields * WIDTH; }

INLINE real *decays_at(pass p, int64_t position, int64_t step) {
    return p.table + (p.shared ? position : step % SEGMENT) * p.states * LANES;
}

/* One step: h ← a h + Δx B. */
INLINE void advance(pass p, int64_t position, int64_t step, vec h[MOST]) {
    const real *here = channels_at(p, position), *weights = p.B + position * p.weights;
    const vec drive = vec_load(here + DRIVE * WIDTH);
    real *decays = decays_at(p, position, step);
    EACH_STATE(n, p) {
        if (p.fill)
            vec_store(decays + n * LANES, vec_exp2(vec_load(here + STEP * WIDTH) * vec_load(p.rate + n * WIDTH)));
        h[n] = vec_load(decays + n * LANES) * h[n] + drive * weights[n];
    }
}

INLINE void forward_order(pass p, const int64_t *order) {
    vec h[MOST] = {0};
    for (int64_t l = 0; l < p.length; l++) {
        const real *weights = p.C + order[l] * p.weights;
        real *y = channels_at(p, order[l]) + Y * WIDTH;
        advance(p, order[l], l, h);
        vec sum = {0}; /* of these states first: y sums a great many */
        EACH_STATE(n, p) sum += h[n] * weights[n];
        vec_store(y, vec_load(y) + sum);
    }
}

/* Gradients of one segment of an order, from its last step to its first; carry is what its states get from the steps
 * after it. Those of A are summed by segment first, which keeps the sums exact where there are many steps. */
INLINE void backward_segment(pass p, const int64_t *order, int64_t start, int64_t steps, vec carry[MOST]) {
    vec states[SEGMENT + 1][MOST], h[MOST], products[MOST] = {0}, dA[MOST] = {0};
    EACH_STATE(n, p) states[0][n] = h[n] = vec_load(p.starts + (start / SEGMENT * p.states + n) * LANES);
    for (int64_t s = 0; s < steps; s++) {
        const int64_t position = order[start + s];
        const vec dy = vec_load(channels_at(p, position) + DY * WIDTH);
        advance(p, position, s, h);
        EACH_STATE(n, p) {
            states[s + 1][n] = h[n];
            products[n] = h[n] * dy;
        }
        add_sums(p.B + position * p.weights + DC * p.room, products, p.states);
    }
    for (int64_t s = steps - 1; s >= 0; s--) {
        const int64_t position = order[start + s];
        real *here = channels_at(p, position), *weights = p.B + position * p.weights;
        const real *decays = decays_at(p, position, s);
        const vec dy = vec_load(here + DY * WIDTH);
        const vec step = vec_load(here + STEP * WIDTH), drive = vec_load(here + DRIVE * WIDTH);
        vec dstep = {0}, ddrive = {0};
        EACH_STATE(n, p) {
            const vec lambda = dy * weights[C * p.room + n] + carry[n];
            carry[n] = vec_load(decays + n * LANES) * lambda;
            const vec dexponent = carry[n] * states[s][n];
            products[n] = lambda * drive;
            ddrive += lambda * weights[n];
            dstep += dexponent * vec_load(p.A + n * WIDTH);
            dA[n] += dexponent * step;
        }
        vec_store(here + DSTEP * WIDTH, vec_load(here + DSTEP * WIDTH) + dstep);
        vec_store(here + DDRIVE * WIDTH, vec_load(here + DDRIVE * WIDTH) + ddrive);
        add_sums(weights + DB * p.room, products, p.states);
    }
    EACH_STATE(n, p) vec_store(p.dA + n * WIDTH, vec_load(p.dA + n * WIDTH) + dA[n]);
}

INLINE void backward_order(pass p, const int64_t *order) {
    vec h[MOST] = {0}, carry[MOST] = {0};
    for (int64_t l = 0; l < p.length; l++) {
        if (l % SEGMENT == 0)
            EACH_STATE(n, p) vec_store(p.starts + (l / SEGMENT * p.states + n) * LANES, h[n]);
        advance(p, order[l], l, h);
    }
    p.fill = !p.shared;
    for (int64_t start = (p.length - 1) / SEGMENT * SEGMENT; start >= 0; start -= SEGMENT) {
        const int64_t left = p.length - start;
        backward_segment(p, order, start, left < SEGMENT ? left : SEGMENT, carry);
    }
}

/* Hide from the compiler what an address was summed from: it would sum it anew at each step. */
INLINE void whole_address(real **address) { __asm__("" : "+r"(*address)); }

/* One order, for the vector of channels that begins at one of the block. */
INLINE void one_order(work *w, int backward, int states, int shared, int fill, int at, const int64_t *order) {
    pass p = {
        .states = states, .fill = fill, .shared = shared, .fields = backward ? BACKWARD_FIELDS : FORWARD_FIELDS,
        .length = w->call->length, .room = w->room, .weights = w->weights * w->room, .channels = w->channels + at,
        .B = w->states + w->state, .C = w->states + C * w->room + w->state, .table = w->table, .starts = w->starts,
        .A = w->A[0] + at, .rate = w->rate[0] + at, .dA = w->dA[0] + at,
    };
    whole_address(&p.channels);
    whole_address(&p.B);
    whole_address(&p.C);
    whole_address(&p.table);
    if (backward)
        backward_order(p, order);
    else
        forward_order(p, order);
}

INLINE void all_orders(work *w, int backward, int states, int shared) {
    const int64_t length = w->call->length, *order = w->call->order, *end = order + w->call->orders * length;
    for (int at = 0; at < w->count; at += LANES) {
        one_order(w, backward, states, shared, 1, at, order);
        for (const int64_t *next = order + length; next < end; next += length)
            one_order(w, backward, states, shared, !shared, at, next);
    }
}

/* The same for some numbers of states, and MOST where there is no table: all constants to the compiler. */
INLINE void run_orders(work *w, int backward, int64_t states) {
    if (!w->shared)
        all_orders(w, backward, MOST, 0);
    else if (states == MOST)
        all_orders(w, backward, MOST, 1);
    else if (states == 4)
        all_orders(w, backward, 4, 1);
    else
        all_orders(w, backward, 1, 1);
}

/* No more states than there are, where there is a table: what fills up, 0, turns into NaN where a step is infinite. */
INLINE int64_t next_states(const work *w) {
    const int64_t left = w->call->states - w->state;
    return left >= MOST || !w->shared ? MOST : left >= 4 ? 4 : 1;
}

/* All states of a block of channels. */
INLINE void run_block(work *w, int backward) {
    read_channels(w, backward);
    for (int64_t states = 0; w->state < w->call->states; w->state += states) {
        read_rates(w);
        run_orders(w, backward, states = next_states(w));
        if (backward) write_rates(w, states);
    }
    if (backward)
        write_channels(w);
    else
        write_rows(channel_rows(&w->call->y, w), 0, w->call->length, w->channels + Y * WIDTH, FORWARD_FIELDS * WIDTH);
}

/* An item is what one thread does at a time, in any order: a batch entry, a task and a group of channels. */
static int64_t items(const pamm_scan *call) { return call->batch * call->tasks * call->groups; }

static int64_t room(const pamm_scan *call, int backward) {
    work w = {.call = call};
    return lay_out(&w, NULL, backward) * (int64_t)sizeof(real) + LINE;
}

static void item(const pamm_scan *call, int backward, int64_t number, void *memory) {
    const int64_t group = number % call->groups, row = number / call->groups;
    const int64_t blocks = (call->width + WIDTH - 1) / WIDTH;
    const int64_t from = group * blocks / call->groups, to = (group + 1) * blocks / call->groups;
    if (from == to) return; /* its sums are zero already */
    work w = {.call = call, .entry = row / call->tasks, .task = row % call->tasks};
    lay_out(&w, (real *)(((uintptr_t)memory + LINE - 1) / LINE * LINE), backward);
    read_states(&w);
    for (int64_t block = from; block < to; block++) {
        w.first = block * WIDTH;
        w.count = call->width - w.first < WIDTH ? call->width - w.first : WIDTH;
        w.state = 0;
        backward ? run_block(&w, 1) : run_block(&w, 0);
    }
    if (backward) {
        write_states(&call->dB, &w, group, DB);
        write_states(&call->dC, &w, group, DC);
    }
}

const pamm_kernel PAMM_KERNEL = {items, room, item};
