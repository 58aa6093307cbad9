// An activation function as the traversals of pointwise.hpp and norm.hpp are built for it.
//
// A function is a struct in the header of its folder, a sum of TERMS terms:
//
//   prepare    makes the coefficients of function a from the parameters, tensors (A, ...), and
//              returns false where there is no such function
//   value<i>   term i of y
//   slope<i>   term i of dy/dx; adds to SUMS sums over x from g = dL/dy
//   finish     makes the gradients of the parameters from these sums
//
// A function that looks its coefficients up, and its sums, has TABLE_COEFFICIENTS and TABLE_SUMS: the
// first so many of a lane then lie side by side in memory (place_in_row in traversal.hpp).
#pragma once

#include "lanes.hpp"

template <class F, class = void>
struct TablesOf {
  static constexpr int COEFFICIENTS = 0, SUMS = 0;
  static constexpr std::int64_t TILE = 1024;  // TILE_ELEMENTS in traversal.hpp
};
template <class F>
struct TablesOf<F, std::void_t<decltype(F::TABLE_SUMS)>> {
  static constexpr int COEFFICIENTS = F::TABLE_COEFFICIENTS, SUMS = F::TABLE_SUMS;
  // Larger, as many sums are begun and ended with a tile, and each takes in few of its elements.
  static constexpr std::int64_t TILE = 4096;
};

// A function of one term whose coefficients are the N columns of its one parameter, (A, N) or (A),
// and whose sums are their gradients.
template <int N>
struct OneParameter {
  static constexpr int TERMS = 1, COEFFICIENTS = N, SUMS_OF_A_TERM = N, SUMS = N;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * N, N * sizeof(float));
    return true;
  }
  static void finish(const float* const*, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < N; ++i) out[0][a * N + i] = float(sum[i]);
  }
};
