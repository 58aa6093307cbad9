#pragma once

#include "blending/blending.hpp"

struct Sigmoid {
  static Vector value(const Decay& d) { return d.sigmoid(); }
  static Vector slope(const Decay& d) { return d.sigmoid_slope(); }
};
struct One {
  static Vector value(const Decay&) { return broadcast(1); }
  static Vector slope(const Decay&) { return broadcast(0); }
};

using Ensemble = Blend<Sigmoid, Tanh, Rectifier, One>;
