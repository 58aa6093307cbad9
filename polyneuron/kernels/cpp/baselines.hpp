// The learned baselines beyond those of functions.hpp, and in its terms.
#pragma once

#include <initializer_list>

#include "functions.hpp"

// max(0, x) + a min(0, x). Parameter: a (A).
struct Prelu : OneParameter<1> {
  template <int>
  static Vector value(Vector x, const Vector* c) {
    return at_least(broadcast(0), x) + c[0] * at_most(broadcast(0), x);
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Vector zero = broadcast(0);
    sum[0] += g * at_most(zero, x);
    return x > 0 ? broadcast(1) : x < 0 ? c[0] : zero;
  }
};

// x + (a_l - 1) min(0, x - t_l) + (a_r - 1) max(0, x - t_r).
// Parameter: t_l, a_l, t_r, a_r as columns (A, 4).
struct Srelu {
  enum { T_LEFT, A_LEFT, T_RIGHT, A_RIGHT, COEFFICIENTS };
  enum { T, A, SUMS_OF_A_TERM };  // of a side: of g beyond the threshold, and times how far
  static constexpr int TERMS = 2, SUMS = COEFFICIENTS;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * COEFFICIENTS, COEFFICIENTS * sizeof(float));
    out[A_LEFT] -= 1;
    out[A_RIGHT] -= 1;
    return true;
  }

  // Term 0 is x and what is left of t_l, term 1 what is right of t_r.
  template <int i>
  static Vector beyond(Vector x, const Vector* c) {
    const Vector zero = broadcast(0), d = x - c[2 * i + T];
    return i == 0 ? at_most(zero, d) : at_least(zero, d);
  }
  template <int i>
  static Vector value(Vector x, const Vector* c) {
    const Vector y = c[2 * i + A] * beyond<i>(x, c);
    return i == 0 ? x + y : y;
  }
  template <int i>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Vector zero = broadcast(0), d = beyond<i>(x, c);
    sum[T] += d != 0 ? g : zero;
    sum[A] += g * d;
    const Vector bend = d != 0 ? c[2 * i + A] : zero;
    return i == 0 ? 1 + bend : bend;
  }
  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    const float* own = p[0] + a * COEFFICIENTS;
    float* to = out[0] + a * COEFFICIENTS;
    for (int side : {T_LEFT, T_RIGHT}) {
      to[side + T] = float((1 - double(own[side + A])) * sum[side + T]);
      to[side + A] = float(sum[side + A]);
    }
  }
};

// (a_0 + ... + a_{S-1} x^{S-1}) / (1 + |b_1 x + ... + b_{S-2} x^{S-2}|).
// Parameters: a (A, S), b (A, S - 2).
//
// Powers come after the division by the denominator, which bounds them: with S = 6 no term leaves
// the range of float32 before x^5 does, at |x| = 5e7.
template <int S>
struct Pade {
  static constexpr int BELOW = S - 2, COEFFICIENTS = S + BELOW;
  static constexpr int TERMS = 1, SUMS_OF_A_TERM = COEFFICIENTS, SUMS = COEFFICIENTS;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * S, S * sizeof(float));
    std::memcpy(out + S, p[1] + a * BELOW, BELOW * sizeof(float));
    return true;
  }

  struct Polynomial {
    Vector value, slope;
  };
  template <int N>
  static Polynomial polynomial(Vector x, const Vector* c) {
    Polynomial p{c[N - 1], broadcast(0)};
#pragma GCC unroll 64
    for (int i = N - 2; i >= 0; --i) p = {p.value * x + c[i], p.slope * x + p.value};
    return p;
  }

  template <int>
  static Vector value(Vector x, const Vector* c) {
    const Vector below = x * polynomial<BELOW>(x, c + S).value;
    return polynomial<S>(x, c).value / (1 + absolute(below));
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Polynomial above = polynomial<S>(x, c), b = polynomial<BELOW>(x, c + S);
    const Vector below = x * b.value, inverse = 1 / (1 + absolute(below));
    // y with the sign of what stands between the bars.
    const Vector y = above.value * inverse;
    const Vector bent = below < 0 ? -y : below > 0 ? y : broadcast(0);
    Vector term = g * inverse, bent_term = term * bent;
    sum[0] += term;
#pragma GCC unroll 64
    for (int i = 1; i < S; ++i) sum[i] += term *= x;
#pragma GCC unroll 64
    for (int i = 0; i < BELOW; ++i) sum[S + i] -= bent_term *= x;
    return inverse * (above.slope - bent * (b.value + x * b.slope));
  }
  static void finish(const float* const*, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < S; ++i) out[0][a * S + i] = float(sum[i]);
    for (int i = 0; i < BELOW; ++i) out[1][a * BELOW + i] = float(sum[S + i]);
  }
};

// What the members of a blend share: sigmoid and tanh of |x| are quotients of these.
struct Decay {
  Vector x, t, less_one;     // t = e^-|x|, t - 1
  Vector sigmoid_of, tanh_of;  // 1 / (1 + t), 1 / (1 + t^2)

  explicit Decay(Vector at) : x(at) {
    const Exponential e = split_exponential(-absolute(x));
    t = e.value();
    less_one = e.less_one();
    sigmoid_of = 1 / (1 + t);
    tanh_of = 1 / (1 + t * t);
  }
  Vector sigmoid() const { return (x < 0 ? t : broadcast(1)) * sigmoid_of; }
  Vector sigmoid_slope() const { return t * sigmoid_of * sigmoid_of; }
};

struct Sigmoid {
  static Vector value(const Decay& d) { return d.sigmoid(); }
  static Vector slope(const Decay& d) { return d.sigmoid_slope(); }
};
struct Tanh {
  static Vector value(const Decay& d) {
    const Vector size = d.less_one * (1 + d.t) * d.tanh_of;  // negative, as t is below 1
    return d.x < 0 ? size : -size;
  }
  static Vector slope(const Decay& d) { return 4 * (d.t * d.tanh_of) * (d.t * d.tanh_of); }
};
struct Elu {
  static Vector value(const Decay& d) { return d.x > 0 ? d.x : d.less_one; }
  static Vector slope(const Decay& d) { return d.x > 0 ? broadcast(1) : d.t; }
};
struct Rectifier {
  static Vector value(const Decay& d) { return at_least(broadcast(0), d.x); }
  static Vector slope(const Decay& d) { return d.x > 0 ? broadcast(1) : broadcast(0); }
};
struct Identity {
  static Vector value(const Decay& d) { return d.x; }
  static Vector slope(const Decay&) { return broadcast(1); }
};
struct Silu {
  static Vector value(const Decay& d) { return d.x * d.sigmoid(); }
  static Vector slope(const Decay& d) { return d.sigmoid() + d.x * d.sigmoid_slope(); }
};
struct One {
  static Vector value(const Decay&) { return broadcast(1); }
  static Vector slope(const Decay&) { return broadcast(0); }
};

// sum_i w_i f_i(x) with fixed members f_i. Parameter: w (A, members).
template <class... Members>
struct Blend : OneParameter<sizeof...(Members)> {
  // One term of all members, which share their e^-|x|.
  template <int>
  static Vector value(Vector x, const Vector* c) {
    const Decay decay(x);
    Vector y = broadcast(0);
    ((y += *c++ * Members::value(decay)), ...);
    return y;
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Decay decay(x);
    Vector slope = broadcast(0);
    ((slope += *c++ * Members::slope(decay), *sum++ += g * Members::value(decay)), ...);
    return slope;
  }
};

using Blending = Blend<Tanh, Elu, Rectifier, Identity, Silu>;
using Ensemble = Blend<Sigmoid, Tanh, Rectifier, One>;
