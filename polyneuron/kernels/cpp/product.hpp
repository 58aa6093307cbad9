// A product of two small matrices, C = A B + offsets, in blocks that registers hold.
//
// Each element of C is one sum over k in order, so that the bits are the same with any number of
// threads.
#pragma once

#include <algorithm>
#include <vector>

#include "lanes.hpp"

#if defined(__AVX512F__)
constexpr int BLOCK_ROWS = 8, BLOCK_VECTORS = 3;  // of 32 registers, 24 hold sums
#else
constexpr int BLOCK_ROWS = 4, BLOCK_VECTORS = 3;  // of 16 registers, 12
#endif
// Rounding grows with the length of a sum in float: longer ones are cut, and their parts added.
constexpr std::int64_t LONGEST_SUM = 512;

using Floats = std::vector<float>;

struct Columns {
  std::int64_t count, vectors;
  explicit Columns(std::int64_t n) : count(n), vectors((n + LANES - 1) / LANES) {}
  std::int64_t padded() const { return vectors * LANES; }
};

// Element (m, k) stands at m row + k column.
struct Strided {
  const float* data;
  std::int64_t row, column;
};
// Its rows may be read up to the end of a whole vector.
struct Matrix {
  const float* data;
  std::int64_t row;
};
struct Result {
  float* data;
  std::int64_t row;
};

// Rows that may be read in whole vectors: copies, unless the vectors end where the rows do.
struct Rows {
  Floats copy;
  Matrix matrix;
};
inline Rows padded_rows(Matrix from, std::int64_t rows, std::int64_t n) {
  const Columns columns(n);
  if (columns.padded() == n) return {{}, from};
  Rows made{Floats(rows * columns.padded()), {}};
  for (std::int64_t i = 0; i < rows; ++i)
    std::copy_n(from.data + i * from.row, n, made.copy.data() + i * columns.padded());
  made.matrix = {made.copy.data(), columns.padded()};
  return made;
}

// ROWS rows by VECTORS vectors of C, of whose last vector `last` lanes exist.
template <int ROWS, int VECTORS>
INLINED inline void block(Strided a, Matrix b, Result c, std::int64_t length,
                          const float* offsets, bool first, int last) {
  Vector sum[ROWS][VECTORS];
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      const float* before = c.data + m * c.row + v * LANES;
      if (first)
        sum[m][v] = Float32::load(offsets + v * LANES);
      else if (v + 1 < VECTORS || last == LANES)
        sum[m][v] = Float32::load(before);
      else
        sum[m][v] = load(before, last);
    }
  for (std::int64_t k = 0; k < length; ++k) {
    Vector row[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) row[v] = Float32::load(b.data + k * b.row + v * LANES);
#pragma GCC unroll 8
    for (int m = 0; m < ROWS; ++m) {
      const float factor = a.data[m * a.row + k * a.column];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) sum[m][v] += factor * row[v];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < ROWS; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; ++v) {
      float* to = c.data + m * c.row + v * LANES;
      if (v + 1 < VECTORS || last == LANES)
        Float32::store(to, sum[m][v]);
      else
        store(to, sum[m][v], last);
    }
}

template <int ROWS>
void rows_of_blocks(Strided a, Matrix b, Result c, Columns columns, std::int64_t length,
                    const float* offsets, bool first) {
  const int rest = int(columns.count - (columns.vectors - 1) * LANES);
  for (std::int64_t v = 0; v < columns.vectors; v += BLOCK_VECTORS) {
    const std::int64_t at = v * LANES, left = columns.vectors - v;
    const int last = left <= BLOCK_VECTORS ? rest : LANES;
    const Matrix from{b.data + at, b.row};
    const Result to{c.data + at, c.row};
    if (left >= 3)
      block<ROWS, 3>(a, from, to, length, offsets + at, first, last);
    else if (left == 2)
      block<ROWS, 2>(a, from, to, length, offsets + at, first, last);
    else
      block<ROWS, 1>(a, from, to, length, offsets + at, first, last);
  }
}

// Calls rows_of_blocks for `rows` rows, of which there are at most ROWS.
template <int ROWS>
void few_rows(std::int64_t rows, Strided a, Matrix b, Result c, Columns columns,
              std::int64_t length, const float* offsets, bool first) {
  if constexpr (ROWS > 0) {
    if (rows == ROWS)
      rows_of_blocks<ROWS>(a, b, c, columns, length, offsets, first);
    else
      few_rows<ROWS - 1>(rows, a, b, c, columns, length, offsets, first);
  }
}

// C (m, n) = A (m, length) B (length, n) + offsets (n), offsets up to the end of a whole vector.
inline void multiply(Strided a, Matrix b, Result c, std::int64_t m, std::int64_t n,
                     std::int64_t length, const float* offsets, int threads) {
  const std::int64_t groups = (m + BLOCK_ROWS - 1) / BLOCK_ROWS;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t group = 0; group < groups; ++group) {
    const std::int64_t from = group * BLOCK_ROWS, rows = std::min(std::int64_t(BLOCK_ROWS), m - from);
    std::int64_t k = 0;
    do {  // once for a sum of nothing
      const std::int64_t part = std::min(LONGEST_SUM, length - k);
      few_rows<BLOCK_ROWS>(rows, {a.data + from * a.row + k * a.column, a.row, a.column},
                           {b.data + k * b.row, b.row}, {c.data + from * c.row, c.row}, Columns(n),
                           part, offsets, k == 0);
      k += part;
    } while (k < length);
  }
}
