/* Which build of the kernel runs, and on which threads. */
#define _GNU_SOURCE /* processors of threads */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "scan_kernel.h"

/* Numbers too small for the normal format are slow: they count as zero while a thread works here. */
#if defined(__x86_64__)
static unsigned flush_denormals(void) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
}
static void restore_denormals(unsigned before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
static uint64_t flush_denormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1u << 24)));
    return before;
}
static void restore_denormals(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
static int flush_denormals(void) { return 0; }
static void restore_denormals(int before) { (void)before; }
#endif

extern const pamm_kernel pamm_base, pamm_base_wide;
#if defined(__x86_64__)
extern const pamm_kernel pamm_avx2, pamm_avx2_wide, pamm_avx512, pamm_avx512_wide;
static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#endif
static int always(void) { return 1; }

static const struct {
    const char *name;
    int (*runs_here)(void);
    const pamm_kernel *kernel[2]; /* by precision */
} LEVELS[] = {
#if defined(__x86_64__)
    {"avx512", has_avx512, {&pamm_avx512, &pamm_avx512_wide}},
    {"avx2", has_avx2, {&pamm_avx2, &pamm_avx2_wide}},
#endif
    {"base", always, {&pamm_base, &pamm_base_wide}},
};
enum { COUNT = sizeof LEVELS / sizeof *LEVELS };

static int level_at(int index) {
    for (int level = 0; level < COUNT; level++)
        if (LEVELS[level].runs_here() && index-- == 0) return level;
    return -1;
}

int pamm_scan_levels(void) {
    int count = 0;
    while (level_at(count) >= 0) count++;
    return count;
}

const char *pamm_scan_level(int index) { return level_at(index) < 0 ? NULL : LEVELS[level_at(index)].name; }

typedef struct {
    const pamm_scan *call;
    const pamm_kernel *kernel;
    int backward;
    int64_t items;
    pthread_t caller;
    int home; /* processor of the caller */
    atomic_llong next;
    atomic_int failed;
} job;

/* Some schedulers wake a thread on the processor of the one that woke it and leave it there for milliseconds, which is
 * longer than most calls last. So the caller steps aside for a moment, and who finds itself in its place moves away. */
static void spread_out(const job *j) {
#if defined(__linux__)
    cpu_set_t allowed, others;
    if (pthread_equal(pthread_self(), j->caller)) {
        sched_yield();
        return;
    }
    if (sched_getcpu() != j->home || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    others = allowed;
    CPU_CLR(j->home, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
#else
    (void)j;
#endif
}

/* Take pieces of work until there are none. */
static void work_on(void *argument) {
    job *j = argument;
    void *memory = malloc(j->kernel->room(j->call, j->backward));
    if (!memory) {
        atomic_store(&j->failed, 1);
        return;
    }
    const __typeof__(flush_denormals()) before = flush_denormals();
    for (int64_t number; (number = atomic_fetch_add(&j->next, 1)) < j->items;)
        j->kernel->item(j->call, j->backward, number, memory);
    restore_denormals(before);
    free(memory);
}

static void work_together(void *argument) {
    spread_out(argument);
    work_on(argument);
}

static void *start_work(void *argument) {
    work_together(argument);
    return NULL;
}

enum { MOST_THREADS = 256 };

/* Threads started for one call and joined at its end: none is left for a fork to lose. The caller works too. */
static void start_threads(job *j, int64_t threads) {
    pthread_t started[MOST_THREADS];
    int count = 0;
    while (count + 1 < threads && pthread_create(&started[count], NULL, start_work, j) == 0) count++;
    work_together(j);
    while (count > 0) pthread_join(started[--count], NULL);
}

/* Memory fresh from the system comes in pages, each of which takes a microsecond or more to get: ask for large ones. */
static void ask_for_large_pages(const pamm_scan *call, const pamm_tensor *result) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const int64_t PAGE = 2 << 20;
    const int64_t bytes = call->batch * call->tasks * call->length * call->width * PAMM_BYTES[result->dtype];
    const uintptr_t from = ((uintptr_t)result->data + PAGE - 1) / PAGE * PAGE;
    const uintptr_t to = ((uintptr_t)result->data + bytes) / PAGE * PAGE;
    if (result->data && to > from) madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)call, (void)result;
#endif
}

static int run(const pamm_scan *call, int backward) {
    const int level = level_at(call->level);
    if (level < 0) return 1;
    job j = {.call = call, .kernel = LEVELS[level].kernel[call->wide != 0], .backward = backward};
    j.items = j.kernel->items(call);
#if defined(__linux__)
    j.caller = pthread_self();
    j.home = sched_getcpu();
#endif
    ask_for_large_pages(call, backward ? &call->dx : &call->y);
    if (backward) ask_for_large_pages(call, &call->ddelta);
    int64_t threads = call->threads < MOST_THREADS ? call->threads : MOST_THREADS;
    if (threads > j.items) threads = j.items;
    if (threads <= 1)
        work_on(&j);
    else if (call->parallel)
        call->parallel(work_together, &j, (unsigned)threads, 0);
    else
        start_threads(&j, threads);
    return atomic_load(&j.failed) && atomic_load(&j.next) < j.items;
}

int pamm_scan_forward(const pamm_scan *call) { return run(call, 0); }

int pamm_scan_backward(const pamm_scan *call) { return run(call, 1); }

int64_t pamm_scan_size(void) { return sizeof(pamm_scan); }
