/* What a thread works on: where it lies in its memory, how it is read from the tensors and written to them.
 *
 * For scan_kernel.c alone, which says how the work is cut.
 */
#include "scan_rows.h"

/* MOST states are scanned at once, as many as add_sums takes; CHUNK positions are read at once. */
enum { MOST = 8, SEGMENT = 16, CHUNK = 64 };

/* Room for the table of exponentials, in bytes: with more they are computed anew for each order. The table pays even where
 * it does not fit a core's own cache. */
enum { TABLE_ROOM = 8 << 20 };

/* What is kept of a position and a block of WIDTH channels. */
enum { DRIVE, STEP, Y, FORWARD_FIELDS, DY = Y, DDRIVE, DSTEP, X, SLOPE, BACKWARD_FIELDS };

/* What is kept of a position and all states. */
enum { B, C, FORWARD_WEIGHTS, DB = 2, DC, BACKWARD_WEIGHTS };

typedef struct {
    const pamm_scan *call;
    int64_t entry, task;  /* which of b and T */
    int64_t first, count; /* channels of the block */
    int64_t state;        /* first of the states that are scanned at once */
    int64_t room;         /* states and zeros up to a multiple of MOST */
    int shared;           /* whether there is a table of all positions, or one of a segment's steps */
    int fields, weights;  /* how much is kept */
    real *channels;       /* (L, fields, WIDTH) */
    real *states;         /* (L, weights, room); DB and DC are sums over the group */
    real *table;          /* (L or SEGMENT, up to MOST, LANES) */
    real *starts;         /* (segments, up to MOST, LANES) */
    real A[MOST][WIDTH], rate[MOST][WIDTH], dA[MOST][WIDTH]; /* rate is A in units of log 2 */
    real D[WIDTH], bias[WIDTH];
} work;

/* Cut as many reals as are asked for from a piece of memory; only counts where the piece is NULL. */
static real *cut(real *memory, int64_t *used, int64_t count) {
    real *piece = memory ? memory + *used : NULL;
    *used += (count + WIDTH - 1) / WIDTH * WIDTH;
    return piece;
}

static int64_t lay_out(work *w, real *memory, int backward) {
    const int64_t length = w->call->length, most = MOST * LANES;
    int64_t used = 0;
    w->room = (w->call->states + MOST - 1) / MOST * MOST;
    w->shared = length * most * (int64_t)sizeof(real) <= TABLE_ROOM;
    w->fields = backward ? BACKWARD_FIELDS : FORWARD_FIELDS;
    w->weights = backward ? BACKWARD_WEIGHTS : FORWARD_WEIGHTS;
    w->channels = cut(memory, &used, length * w->fields * WIDTH);
    w->states = cut(memory, &used, length * w->weights * w->room);
    w->table = cut(memory, &used, (w->shared ? length : SEGMENT) * most);
    w->starts = cut(memory, &used, backward ? (length + SEGMENT - 1) / SEGMENT * most : 0);
    return used;
}

/* The block's channels in a tensor (b, T, L, E), a row for each position. */
static rows channel_rows(const pamm_tensor *tensor, const work *w) {
    const int64_t *by = tensor->stride;
    return rows_at(tensor, w->entry * by[0] + w->task * by[1] + w->first * by[3], by[2], by[3], w->count);
}

/* The states in a tensor (b, T, L, N), a row for each position. */
static rows state_rows(const pamm_tensor *tensor, const work *w) {
    const int64_t *by = tensor->stride;
    return rows_at(tensor, w->entry * by[0] + w->task * by[1], by[2], by[3], w->call->states);
}

/* The block's channels in a tensor (T, E), one row of zeros where there is none. */
static void read_optional(const pamm_tensor *from, const work *w, real *to) {
    const int64_t *by = from->stride;
    memset(to, 0, WIDTH * sizeof *to);
    if (from->data) read_rows(rows_at(from, w->task * by[0] + w->first * by[1], 0, by[1], w->count), 0, 1, to, 0, WIDTH);
}

/* Channels of the block: step and drive; forward y with what the direct path adds, backward the gradients' beginnings.
 */
INLINE void read_channels(work *w, int backward) {
    const int64_t length = w->call->length, apart = (backward ? BACKWARD_FIELDS : FORWARD_FIELDS) * WIDTH;
    const rows x = channel_rows(&w->call->x, w), delta = channel_rows(&w->call->delta, w);
    const rows dy = channel_rows(&w->call->dy, w);
    const int input = backward ? X : Y;
    read_optional(&w->call->D, w, w->D);
    read_optional(&w->call->bias, w, w->bias);
    for (int i = 0; i < WIDTH; i++) w->D[i] *= (real)w->call->orders;
    for (int64_t start = 0; start < length; start += CHUNK) {
        const int64_t number = length - start < CHUNK ? length - start : CHUNK;
        real *here = w->channels + start * apart;
        read_rows(x, start, number, here + input * WIDTH, apart, WIDTH);
        read_rows(delta, start, number, here + STEP * WIDTH, apart, WIDTH);
        if (backward) read_rows(dy, start, number, here + DY * WIDTH, apart, WIDTH);
        for (int64_t l = 0; l < number; l++, here += apart)
            for (int i = 0; i < WIDTH; i += LANES) {
                const vec in = vec_load(here + input * WIDTH + i);
                vec slope, step = vec_softplus(vec_load(here + STEP * WIDTH + i) + vec_load(w->bias + i), &slope);
                vec_store(here + STEP * WIDTH + i, step);
                vec_store(here + DRIVE * WIDTH + i, step * in);
                if (backward) {
                    vec_store(here + SLOPE * WIDTH + i, slope);
                    vec_store(here + DDRIVE * WIDTH + i, vec_of(0));
                    vec_store(here + DSTEP * WIDTH + i, vec_of(0));
                } else
                    vec_store(here + Y * WIDTH + i, vec_load(w->D + i) * in);
            }
    }
}

/* B and C of all positions; zeros for their gradients, and up to the room for states. */
static void read_states(work *w) {
    const int64_t length = w->call->length, apart = w->weights * w->room;
    read_rows(state_rows(&w->call->B, w), 0, length, w->states + B * w->room, apart, w->room);
    read_rows(state_rows(&w->call->C, w), 0, length, w->states + C * w->room, apart, w->room);
    for (int64_t l = 0; l < length; l++)
        memset(w->states + l * apart + DB * w->room, 0, (w->weights - DB) * w->room * sizeof(real));
}

/* Gradients of B or C, of the group's channels. */
static void write_states(const pamm_tensor *to, const work *w, int64_t group, int field) {
    const pamm_scan *call = w->call;
    const int64_t row = ((group * call->batch + w->entry) * call->tasks + w->task) * call->length;
    const rows sums = rows_at(to, row * call->states, call->states, 1, call->states);
    write_rows(sums, 0, call->length, w->states + field * w->room, w->weights * w->room);
}

/* Rates of the states that are scanned at once; zeros where there are fewer. */
static void read_rates(work *w) {
    const pamm_tensor *A = &w->call->A;
    const int64_t *by = A->stride, left = w->call->states - w->state;
    const rows rates = rows_at(A, w->task * by[0] + w->first * by[1] + w->state * by[2], by[2], by[1], w->count);
    memset(w->A, 0, sizeof w->A);
    memset(w->dA, 0, sizeof w->dA);
    read_rows(rates, 0, left < MOST ? left : MOST, w->A[0], WIDTH, WIDTH);
    for (int n = 0; n < MOST; n++)
        for (int i = 0; i < WIDTH; i++) w->rate[n][i] = w->A[n][i] * (real)1.4426950408889634;
}

/* Gradients of the rates of the states that were scanned at once. */
static void write_rates(const work *w, int64_t states) {
    const pamm_tensor *dA = &w->call->dA;
    const int64_t *by = dA->stride, left = w->call->states - w->state;
    const int64_t from = w->entry * by[0] + w->task * by[1] + w->first * by[2] + w->state * by[3];
    write_rows(rows_at(dA, from, by[3], by[2], w->count), 0, left < states ? left : states, w->dA[0], WIDTH);
}

/* Gradients of the inputs by channel, from those of the drive and of the step; they take the place of these. */
static void write_channels(work *w) {
    const pamm_scan *call = w->call;
    const int64_t length = call->length, apart = BACKWARD_FIELDS * WIDTH;
    real dD[WIDTH] = {0}, dbias[WIDTH] = {0};
    for (int64_t l = 0; l < length; l++)
        for (int i = 0; i < WIDTH; i++) {
            real *at = w->channels + l * apart + i, ddrive = at[DDRIVE * WIDTH], dy = at[DY * WIDTH];
            at[DSTEP * WIDTH] = (at[DSTEP * WIDTH] + ddrive * at[X * WIDTH]) * at[SLOPE * WIDTH];
            at[DDRIVE * WIDTH] = ddrive * at[STEP * WIDTH] + w->D[i] * dy;
            dD[i] += (real)call->orders * dy * at[X * WIDTH];
            dbias[i] += at[DSTEP * WIDTH];
        }
    write_rows(channel_rows(&call->dx, w), 0, length, w->channels + DDRIVE * WIDTH, apart);
    write_rows(channel_rows(&call->ddelta, w), 0, length, w->channels + DSTEP * WIDTH, apart);
    const pamm_tensor *sums[] = {&call->dD, &call->dbias};
    const real *found[] = {dD, dbias};
    for (int which = 0; which < 2; which++) {
        const int64_t *by = sums[which]->stride, at = w->entry * by[0] + w->task * by[1] + w->first * by[2];
        if (sums[which]->data) write_rows(rows_at(sums[which], at, 0, by[2], w->count), 0, 1, found[which], 0);
    }
}
