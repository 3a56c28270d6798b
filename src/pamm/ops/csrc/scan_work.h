/* What a thread works on: where it lies in its memory, how it is read from the tensors and written to them.
 *
 * For scan_kernel.c alone, which says how the work is cut.
 */
#include "scan_math.h"

/* BLOCK is what add_sums takes. */
enum { PARTS = 2, BLOCK = 4, WIDTH = PARTS * LANES, SEGMENT = 16, AHEAD = 16 };

/* Room for the table of exponentials, in bytes: with more they are computed anew for each order. */
enum { TABLE_ROOM = 768 * 1024 };

typedef struct {
    const pamm_scan *call;
    int64_t entry, task;  /* which of b and T */
    int64_t first, count; /* channels of the block */
    int64_t state;        /* first of the block of states */
    int64_t room;         /* states and what fills the last block */
    int shared;           /* whether there is a table */
    real *x, *step, *drive, *slope, *y, *dy, *ddrive, *dstep; /* (L, WIDTH); y serves dx, drive ddelta at the end */
    real *B, *C;          /* (L, room) */
    real *dB, *dC;        /* (L, room), sums over the group */
    real *table;          /* (L, BLOCK, WIDTH) */
    real *starts;         /* (segments, BLOCK, WIDTH) */
    real A[BLOCK][WIDTH], rate[BLOCK][WIDTH], dA[BLOCK][WIDTH]; /* rate is A in units of log 2 */
    real D[WIDTH], bias[WIDTH];
} work;

static int64_t place(const pamm_tensor *tensor, int64_t i, int64_t j, int64_t k, int64_t l) {
    return i * tensor->stride[0] + j * tensor->stride[1] + k * tensor->stride[2] + l * tensor->stride[3];
}

/* Cut as many reals as are asked for from a piece of memory; only counts where the piece is NULL. */
static real *cut(real *memory, int64_t *used, int64_t count) {
    real *piece = memory ? memory + *used : NULL;
    *used += (count + LANES - 1) / LANES * LANES;
    return piece;
}

static int64_t lay_out(work *w, real *memory, int backward) {
    const int64_t length = w->call->length, rows = length * WIDTH;
    int64_t used = 0;
    w->room = (w->call->states + BLOCK - 1) / BLOCK * BLOCK;
    w->shared = length * BLOCK * WIDTH * (int64_t)sizeof(real) <= TABLE_ROOM;
    w->x = cut(memory, &used, rows);
    w->step = cut(memory, &used, rows);
    w->drive = cut(memory, &used, rows);
    w->y = cut(memory, &used, rows);
    w->B = cut(memory, &used, length * w->room);
    w->C = cut(memory, &used, length * w->room);
    w->table = cut(memory, &used, w->shared ? length * BLOCK * WIDTH : 0);
    if (backward) {
        w->slope = cut(memory, &used, rows);
        w->dy = cut(memory, &used, rows);
        w->ddrive = cut(memory, &used, rows);
        w->dstep = cut(memory, &used, rows);
        w->dB = cut(memory, &used, length * w->room);
        w->dC = cut(memory, &used, length * w->room);
        w->starts = cut(memory, &used, (length + SEGMENT - 1) / SEGMENT * BLOCK * WIDTH);
    }
    return used;
}

static void read_optional(const pamm_tensor *tensor, const work *w, real *to) {
    if (tensor->data)
        read_row(tensor, place(tensor, w->task, w->first, 0, 0), tensor->stride[1], w->count, WIDTH, to);
    else
        memset(to, 0, WIDTH * sizeof *to);
}

/* Rows lie far apart in memory: ask for one some steps before it is read. */
INLINE void fetch(const pamm_tensor *from, const work *w, int64_t l) {
    static const int64_t SIZE[] = {4, 8, 2, 2};
    if (l >= w->call->length) return;
    const char *row = (const char *)from->data + SIZE[from->dtype] * place(from, w->entry, w->task, l, w->first);
    for (int64_t byte = 0; byte < w->count * SIZE[from->dtype]; byte += 64) __builtin_prefetch(row + byte);
}

/* Channels of the block: x, the step, its slope (backward) and the drive. */
static void read_channels(work *w, int backward) {
    const pamm_scan *call = w->call;
    read_optional(&call->D, w, w->D);
    read_optional(&call->bias, w, w->bias);
    for (int64_t l = 0; l < call->length; l++) {
        real *x = w->x + l * WIDTH, raw[WIDTH];
        fetch(&call->x, w, l + AHEAD);
        fetch(&call->delta, w, l + AHEAD);
        if (backward) fetch(&call->dy, w, l + AHEAD);
        const pamm_tensor *from = &call->x;
        read_row(from, place(from, w->entry, w->task, l, w->first), from->stride[3], w->count, WIDTH, x);
        from = &call->delta;
        read_row(from, place(from, w->entry, w->task, l, w->first), from->stride[3], w->count, WIDTH, raw);
        for (int i = 0; i < WIDTH; i += LANES) {
            vec slope, step = vec_softplus(vec_load(raw + i) + vec_load(w->bias + i), &slope);
            vec_store(w->step + l * WIDTH + i, step);
            vec_store(w->drive + l * WIDTH + i, step * vec_load(x + i));
            if (backward) vec_store(w->slope + l * WIDTH + i, slope);
        }
        if (backward) {
            from = &call->dy;
            read_row(from, place(from, w->entry, w->task, l, w->first), from->stride[3], w->count, WIDTH,
                     w->dy + l * WIDTH);
        }
    }
}

/* B and C of all states; the last block is filled with zeros. */
static void read_positions(work *w) {
    const pamm_scan *call = w->call;
    const pamm_tensor *B = &call->B, *C = &call->C;
    for (int64_t l = 0; l < call->length; l++) {
        const int64_t at = l * w->room;
        read_row(B, place(B, w->entry, w->task, l, 0), B->stride[3], call->states, w->room, w->B + at);
        read_row(C, place(C, w->entry, w->task, l, 0), C->stride[3], call->states, w->room, w->C + at);
    }
}

/* Rates of a block of states; zeros where it is not full. */
static void read_rates(work *w) {
    const pamm_tensor *A = &w->call->A;
    for (int n = 0; n < BLOCK; n++) {
        const int64_t state = w->state + n;
        if (state < w->call->states)
            read_row(A, place(A, w->task, w->first, state, 0), A->stride[1], w->count, WIDTH, w->A[n]);
        else
            memset(w->A[n], 0, sizeof w->A[n]);
        for (int i = 0; i < WIDTH; i++) w->rate[n][i] = w->A[n][i] * (real)1.4426950408889634;
    }
}

/* Where a position's BLOCK numbers lie in B, C and their gradients. */
INLINE int64_t states_at(const work *w, int64_t position) { return position * w->room + w->state; }

/* Gradients of B or C, of the group's channels. */
static void write_positions(const pamm_tensor *to, const work *w, int64_t group, const real *from) {
    const pamm_scan *call = w->call;
    real *sums = (real *)to->data +
                 ((group * call->batch + w->entry) * call->tasks + w->task) * call->length * call->states;
    for (int64_t l = 0; l < call->length; l++)
        memcpy(sums + l * call->states, from + l * w->room, call->states * sizeof(real));
}

/* Gradients of the inputs by channel, from those of the drive and of the step. */
static void write_channels(work *w) {
    const pamm_scan *call = w->call;
    const int64_t length = call->length;
    const real orders = (real)call->orders;
    real dD[WIDTH] = {0}, dbias[WIDTH] = {0};
    for (int64_t l = 0; l < length; l++)
        for (int i = 0; i < WIDTH; i++) {
            const int64_t at = l * WIDTH + i;
            w->drive[at] = (w->dstep[at] + w->ddrive[at] * w->x[at]) * w->slope[at];
            w->y[at] = w->ddrive[at] * w->step[at] + orders * w->D[i] * w->dy[at];
            dD[i] += orders * w->dy[at] * w->x[at];
            dbias[i] += w->drive[at];
        }
    for (int64_t l = 0; l < length; l++) {
        const pamm_tensor *to = &call->dx;
        write_row(to, place(to, w->entry, w->task, l, w->first), to->stride[3], w->count, w->y + l * WIDTH);
        to = &call->ddelta;
        write_row(to, place(to, w->entry, w->task, l, w->first), to->stride[3], w->count, w->drive + l * WIDTH);
    }
    const pamm_tensor *sums[] = {&call->dD, &call->dbias};
    const real *found[] = {dD, dbias};
    for (int which = 0; which < 2; which++)
        if (sums[which]->data)
            write_row(sums[which], place(sums[which], w->entry, w->task, w->first, 0), 1, w->count, found[which]);
}
