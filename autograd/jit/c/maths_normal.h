/* The error function and the normal distribution, in float32 and float64.

   The tail Φ(-t), t ≥ 0, is exp(-t²/2) G(u) / (1 + t): G, of u = (t - 4) / (t + 4), is so smooth
   that one polynomial serves all t, and the relative error stays small where Φ does not (a way of
   writing erfc known from Shepherd & Laframboise 1981).  The square is split, t² = h² + (t - h)
   (t + h) with h so short that h² is exact: its rounding, too, would be multiplied by t². */
#ifndef GLASSGRAD_MATHS_NORMAL
#define GLASSGRAD_MATHS_NORMAL
#include "maths_f32.h"
#include "maths_f64.h"

/* exp(-t²/2) as (1 + result) 2^n, for 0 ≤ t < 40 */
INLINE float bell_f32(float t, int32_t *n) {
    float h = from_bits_f32(bits_f32(t) & 0xfffff000u);
    return reduced_expm1_f32(-0.5f * h * h, -0.5f * (t - h) * (t + h), n);
}
INLINE double bell_f64(double t, double *n) {
    double h = from_bits_f64(bits_f64(t) & 0xfffffffff8000000u);
    return reduced_expm1_f64(-0.5 * h * h, -0.5 * (t - h) * (t + h), n);
}

/* Φ(-t) exp(t²/2) for 0 ≤ t < 14.5 */
INLINE float tail_f32(float t) {
    float u = (t - 4.0f) / (t + 4.0f);
    float g = POLY10(u, 0.4720532f, -0.09670347f, 0.013999631f, 0.028600028f, -0.03219773f,
                     0.017939549f, -0.005002521f, -0.000300497f, 0.00069123355f, -6.572076e-05f,
                     -7.393246e-05f);
    return g / (1.0f + t);
}
/* the same for 0 ≤ t < 39 */
INLINE double tail_f64(double t) {
    double u = (t - 4.0) / (t + 4.0);
    double g = POLY23(u, 0.47205320650984467, -0.0967034773265258, 0.013999634724425405,
                      0.02860036405355088, -0.03219783742808545, 0.017936097479672987,
                      -0.005002378591050549, -0.0002856230979733444, 0.0006948971046100352,
                      -9.443025388719951e-05, -8.785318378131222e-05, 2.125004946489111e-05,
                      1.3626869656340193e-05, -3.4321997119225085e-06, -2.6129103224764573e-06,
                      4.0448526036329704e-07, 5.520151010249323e-07, 1.4676600593283318e-09,
                      -1.110328886877407e-07, -1.9913251999238056e-08, 1.7674889651836897e-08,
                      6.249113664698089e-09, -1.5506980833004738e-09, -7.916719925880278e-10);
    return g / (1.0 + t);
}

INLINE float normal_cdf_f32(float x) {
    float t = abs_f32(x);
    t = t > 14.5f ? 14.5f : t; /* 0 */
    int32_t n;
    float e = bell_f32(t, &n), h = tail_f32(t);
    float below = times_power_of_two_f32(h + h * e, n);
    return x > 0.0f ? 1.0f - below : below;
}
INLINE double normal_cdf_f64(double x) {
    double t = abs_f64(x);
    t = t > 39.0 ? 39.0 : t;
    double n, e = bell_f64(t, &n), h = tail_f64(t);
    double below = times_power_of_two_f64(h + h * e, n);
    return x > 0.0 ? 1.0 - below : below;
}

INLINE float normal_pdf_f32(float x) {
    float t = abs_f32(x), scale = 0.3989423f; /* 1 / √2π */
    t = t > 14.5f ? 14.5f : t; /* 0; beside normal_cdf it shares the bell */
    int32_t n;
    float e = bell_f32(t, &n);
    return times_power_of_two_f32(scale + scale * e, n);
}
INLINE double normal_pdf_f64(double x) {
    double t = abs_f64(x), scale = 0.3989422804014327;
    t = t > 39.0 ? 39.0 : t;
    double n, e = bell_f64(t, &n);
    return times_power_of_two_f64(scale + scale * e, n);
}

/* x + x p(x²) up to 1, from there 1 - e^q(x), where q interpolates log(erfc) on [1, 4] */
INLINE float erf_f32(float x) {
    float a = abs_f32(x), square = x * x, t = a > 4.0f ? 4.0f : a;
    float p = POLY6(square, 0.12837917f, -0.37612626f, 0.11283594f, -0.026854211f, 0.0051890872f,
                    -0.00080168643f, 7.875875e-05f);
    float q = POLY8(t, 0.00032013806f, -1.1302334f, -0.63182604f, -0.110080086f, 0.026421135f,
                    -0.004759596f, 0.00059680565f, -4.605804e-05f, 1.6371514e-06f);
    float z = a < 1.0f ? a + a * p : 1.0f - exp_moderate_f32(q);
    return copysign_f32(z, x);
}
/* x + x p(x²) up to 1, from there 1 - 2 Φ(-√2 x), which is 1 from 6 on */
INLINE double erf_f64(double x) {
    double a = abs_f64(x), square = x * x, t = 1.4142135623730951 * (a > 6.0 ? 6.0 : a);
    double p = POLY11(square, 0.12837916709551256, -0.37612638903183543, 0.11283791670945006,
                      -0.02686617064323777, 0.0052239776071164225, -0.0008548325975389692,
                      0.00012055294904839707, -1.492473690741966e-05, 1.6447424703317362e-06,
                      -1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10);
    double far = 1.0 - 2.0 * tail_f64(t) * exp_moderate_f64(-0.5 * t * t);
    return copysign_f64(a < 1.0 ? a + a * p : far, x);
}
#endif
