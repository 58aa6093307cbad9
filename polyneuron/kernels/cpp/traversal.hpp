// The walk over a tensor: which element belongs to which function, in vectors, chunks and threads.
//
// A tensor in memory is (outer, functions, inner). With inner = 1 (channels-last, rows, or one
// function for all) the functions follow one another from lane to lane, and repeat after a period
// of lcm(functions, LANES) elements, that is after `blocks` vectors: block b of every period has
// the same functions in its lanes. With inner > 1 (contiguous channels) the `inner` elements of a
// row have one function, and a block is a function.
//
// Work is cut into chunks by the shape alone, and the chunks' sums are added in their order: the
// bits are the same every time, with any number of threads.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "lanes.hpp"

struct Shape {
  std::int64_t outer, functions, inner;
  std::int64_t size() const { return outer * functions * inner; }
};

// The place of VECTORS whole vectors in tensors.
template <int N>
struct Whole {
  static constexpr int VECTORS = N;
  std::int64_t at, stride;
  Vector load(const Stored* from, int i) const { return ::load(from + at + i * stride); }
  void store(Stored* to, int i, Vector x) const { ::store(to + at + i * stride, x); }
};

// The place of a vector of which only the first `lanes` lanes exist.
struct Part {
  static constexpr int VECTORS = 1;
  std::int64_t at;
  int lanes;
  Vector load(const Stored* from, int) const { return ::load(from + at, lanes); }
  void store(Stored* to, int, Vector x) const { ::store(to + at, x, lanes); }
};

// Vectors visited together: while one waits for a result the processor computes another.
constexpr int TOGETHER = 3;

// The vectors of one block within a tile: `count` whole ones, `stride` elements apart, and if
// `rest` is above 0 one more of which only the first `rest` lanes exist.
struct Range {
  std::int64_t start, stride, count;
  int rest;

  template <class Visit>
  void each(Visit visit) const {
    std::int64_t at = start, n = 0;
    for (; n + TOGETHER <= count; n += TOGETHER, at += TOGETHER * stride)
      visit(Whole<TOGETHER>{at, stride});
    for (; n < count; ++n, at += stride) visit(Whole<1>{at, stride});
    if (rest > 0) visit(Part{at, rest});
  }

  // The sum of term(at) over the whole vectors. In four parts, so that additions overlap.
  template <class Term>
  Vector sum(Term term) const {
    Vector parts[4] = {};
    std::int64_t n = 0;
    for (; n + 4 <= count; n += 4)
      for (int i = 0; i < 4; ++i) parts[i] += term(start + (n + i) * stride);
    for (; n < count; ++n) parts[0] += term(start + n * stride);
    return (parts[0] + parts[1]) + (parts[2] + parts[3]);
  }
};

// Two inputs and an output of a tile fit a cache of 32 KB. Sums start at 0 in every tile, because
// float has too few digits for long ones.
constexpr std::int64_t TILE_ELEMENTS = 1024;
constexpr std::int64_t TILE_VECTORS = 32;  // of a block, at least: a tile's start and end cost
constexpr std::int64_t CHUNK_ELEMENTS = 16384;  // what a thread takes at a time
constexpr std::int64_t MOST_CHUNKS = 512;       // bounds the memory of the chunks' sums

inline std::int64_t ceiling(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

class Traversal {
 public:
  // A chunk's sums lie in `slots` of its own, each for one block.
  std::int64_t blocks, chunks, slots;

  explicit Traversal(Shape shape, std::int64_t tile = TILE_ELEMENTS)
      : shape_(shape), lanes_(shape.inner == 1), tile_(tile) {
    // A chunk is a number of units: of periods, or of rows.
    unit_ = lanes_ ? std::lcm(shape.functions, std::int64_t(LANES)) : shape.inner;
    blocks = lanes_ ? unit_ / LANES : shape.functions;
    const std::int64_t units = ceiling(shape.size(), unit_);
    step_ = std::max({std::int64_t(1), CHUNK_ELEMENTS / unit_, ceiling(units, MOST_CHUNKS)});
    // A chunk that holds all functions holds each in the same slot as other chunks do.
    if (!lanes_ && step_ > blocks) step_ = ceiling(step_, blocks) * blocks;
    chunks = ceiling(units, step_);
    slots = lanes_ ? blocks : std::min(step_, blocks);
  }

  std::int64_t block(std::int64_t chunk, std::int64_t slot) const {
    return lanes_ ? slot : (chunk * step_ + slot) % blocks;
  }

  std::int64_t function(std::int64_t block, int lane) const {
    return lanes_ ? (block * LANES + lane) % shape_.functions : block;
  }

  // Calls visit(slot, range) until all elements of a chunk have been visited.
  template <class Visit>
  void chunk(std::int64_t index, Visit visit) const {
    const std::int64_t first = index * step_ * unit_;
    const std::int64_t last = std::min(shape_.size(), first + step_ * unit_);
    if (!lanes_) {
      std::int64_t slot = 0;
      for (std::int64_t start = first; start < last; start += unit_) {
        for (std::int64_t from = start; from < start + unit_; from += tile_) {
          const std::int64_t n = std::min(tile_, start + unit_ - from);
          visit(slot, Range{from, LANES, n / LANES, int(n % LANES)});
        }
        if (++slot == slots) slot = 0;
      }
      return;
    }
    const std::int64_t tile = std::max(TILE_VECTORS, tile_ / unit_) * unit_;
    for (std::int64_t from = first; from < last; from += tile) {
      const std::int64_t to = std::min(last, from + tile);
      for (std::int64_t slot = 0; slot < blocks && from + slot * LANES < to; ++slot) {
        const std::int64_t start = from + slot * LANES, left = to - start;
        const std::int64_t over = left % unit_;
        const bool one_more = over >= LANES;
        visit(slot, Range{start, unit_, left / unit_ + one_more, one_more ? 0 : int(over)});
      }
    }
  }

 private:
  Shape shape_;
  bool lanes_;
  std::int64_t tile_, unit_, step_;
};

constexpr int at_least_one(int n) { return n > 0 ? n : 1; }

// Rows of `columns` vectors, all 0 at first.
template <class V>
class Table {
 public:
  Table(std::int64_t rows, int columns) : columns_(columns), vectors_(rows * columns, V{}) {}
  V* row(std::int64_t index) { return vectors_.data() + index * columns_; }

 private:
  int columns_;
  std::vector<V> vectors_;
};

// The coefficients of each block's lanes.
struct Coefficients {
  Table<Vector> by_block;
  bool sound;  // false if some function does not exist
};

// Where number i of a lane stands in a row of vectors, of which the first `table` have the numbers of
// a lane side by side, and the others those of all lanes.
inline int place_in_row(int i, int lane, int table) {
  return i < table ? lane * table + i : i * LANES + lane;
}

// prepare(a, out) writes the coefficients of function a, and returns false if it does not exist.
template <int COEFFICIENTS, class Prepare>
Coefficients lane_coefficients(const Traversal& walk, std::int64_t functions, Prepare prepare,
                               int table = 0) {
  Coefficients made{Table<Vector>(walk.blocks, at_least_one(COEFFICIENTS)), true};
  std::vector<float> by_function(functions * at_least_one(COEFFICIENTS));
  for (std::int64_t a = 0; a < functions; ++a)
    made.sound &= prepare(a, &by_function[a * COEFFICIENTS]);
  for (std::int64_t b = 0; b < walk.blocks; ++b)
    for (int lane = 0; lane < LANES; ++lane) {
      const float* from = &by_function[walk.function(b, lane) * COEFFICIENTS];
      float* to = (float*)made.by_block.row(b);
      for (int i = 0; i < COEFFICIENTS; ++i) to[place_in_row(i, lane, table)] = from[i];
    }
  return made;
}

typedef double Doubles __attribute__((vector_size(8 * LANES)));

// Adds up the lanes of each function: SUMS columns of a table by block, from `first` on.
template <int SUMS>
std::vector<double> lanes_by_function(const Traversal& walk, std::int64_t functions,
                                      Table<Doubles>& by_block, int first, int table = 0) {
  std::vector<double> sums(functions * at_least_one(SUMS));
  for (std::int64_t b = 0; b < walk.blocks; ++b)
    for (int lane = 0; lane < LANES; ++lane) {
      double* to = &sums[walk.function(b, lane) * SUMS];
      const double* from = (const double*)by_block.row(b);
      for (int i = 0; i < SUMS; ++i) to[i] += from[place_in_row(first + i, lane, table)];
    }
  return sums;
}

// Visits all elements, by threads: body(range, coefficients, sums) adds to SUMS vectors, which are
// 0 at first for each range. Then total(a, sums) receives the sums of each function a.
template <int COEFFICIENTS, int SUMS, class Body, class Total>
void walk_and_sum(const Traversal& walk, std::int64_t functions, Coefficients& coefficients,
                  int threads, Body body, Total total, int table = 0) {
  Table<Vector> partial(walk.chunks * walk.slots, at_least_one(SUMS));
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk)
    walk.chunk(chunk, [&](std::int64_t slot, Range range) {
      Vector sums[at_least_one(SUMS)] = {};
      body(range, coefficients.by_block.row(walk.block(chunk, slot)), sums);
      Vector* kept = partial.row(chunk * walk.slots + slot);
      for (int i = 0; i < SUMS; ++i) kept[i] += sums[i];
    });
  if constexpr (SUMS == 0) return;

  Table<Doubles> by_block(walk.blocks, at_least_one(SUMS));
  for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk)
    for (std::int64_t slot = 0; slot < walk.slots; ++slot) {
      const Vector* from = partial.row(chunk * walk.slots + slot);
      Doubles* to = by_block.row(walk.block(chunk, slot));
      for (int i = 0; i < SUMS; ++i) to[i] += __builtin_convertvector(from[i], Doubles);
    }
  const std::vector<double> sums = lanes_by_function<SUMS>(walk, functions, by_block, 0, table);
  for (std::int64_t a = 0; a < functions; ++a) total(a, &sums[a * SUMS]);
}
