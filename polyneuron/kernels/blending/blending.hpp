#pragma once

#include "cpp/function.hpp"

// e^-|x|, computed once for all members of a blend: sigmoid(|x|) and tanh(|x|) are quotients of it.
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
// sum_i w_i f_i(x) with fixed members f_i. Parameter: w (A, members).
template <class... Members>
struct Blend : OneParameter<sizeof...(Members)> {
  // All members are one term, because they share their Decay.
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

using Blending = Blend<Tanh, Elu, Rectifier, Identity, Silu>;
