/* What one build of scan_kernel.c offers to the code that shares the work among threads. */
#ifndef PAMM_SCAN_KERNEL_H
#define PAMM_SCAN_KERNEL_H

#include "scan.h"

typedef struct {
    int64_t (*items)(const pamm_scan *call);              /* how many pieces of work there are */
    int64_t (*room)(const pamm_scan *call, int backward);  /* bytes that a thread needs to do them */
    void (*item)(const pamm_scan *call, int backward, int64_t number, void *memory);
} pamm_kernel;

#endif
