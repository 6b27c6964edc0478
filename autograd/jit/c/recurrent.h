/* The gates of recurrent networks, for one sample and one step; …_f32 of floats, …_f64 of doubles.

   `before` is the sample's state before the step, h and c the one behind it. A gradient adds what
   flows into y to the `dh` that comes from later steps, and leaves in dz what flows into the sums
   that the gates were computed from. Numbers of one gate lie together, H of each. */
#ifndef GLASSGRAD_RECURRENT
#define GLASSGRAD_RECURRENT
#include "maths.h"
#include "vectors.h"

#define REAL float
#define FN(name) name##_f32
#include "recurrent_body.h"
#undef REAL
#undef FN

#define REAL double
#define FN(name) name##_f64
#include "recurrent_body.h"
#undef REAL
#undef FN
#endif
