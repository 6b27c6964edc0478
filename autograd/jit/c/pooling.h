/* What pooling kernels need. */
#ifndef GLASSGRAD_POOLING
#define GLASSGRAD_POOLING
#include "vectors.h"

/* the larger of two numbers, or NaN if either is; b == b is false for NaN */
#define larger(a, b) (((b) > (a)) | ((b) != (b)) ? (b) : (a))
#endif
