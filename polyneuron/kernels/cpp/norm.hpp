// Batch norm, an optional residual and an activation function in one:
//
//   y = f(u),  u = (z - mean) scale + bias [+ residual],  scale = weight / sqrt(variance + eps)
//
// and its gradients, recomputed from z and residual. Channels are the functions of a Traversal; the
// activation has one function a channel, or one for all.
#pragma once

#include <cmath>

#include "terms.hpp"

struct Norm {
  const float *weight, *bias;
  float *mean, *variance;                  // written by a forward pass in training, else read
  float *running_mean, *running_variance;  // take in the batch's in training; may be null
  double momentum, eps;
  bool training;
};

// A channel's batch norm as coefficients, after those of its function.
enum { MEAN, SCALE, BIAS, NORM_COEFFICIENTS };

template <class F>
bool prepare_channel(const float* const* parameters, std::int64_t functions, const Norm& norm,
                     std::int64_t channel, float* out) {
  const bool sound = F::prepare(parameters, functions == 1 ? 0 : channel, out);
  out[F::COEFFICIENTS + MEAN] = norm.mean[channel];
  out[F::COEFFICIENTS + SCALE] =
      float(norm.weight[channel] / std::sqrt(norm.variance[channel] + norm.eps));
  out[F::COEFFICIENTS + BIAS] = norm.bias[channel];
  return sound;
}

inline Vector normalised(Vector z, const Vector* c) {
  return (z - c[MEAN]) * c[SCALE] + c[BIAS];
}

inline Vector first_lanes(int n, Vector x) {
  for (int lane = n; lane < LANES; ++lane) x[lane] = 0;
  return x;
}

// Mean and variance (divided by n) of each channel. Each tile is read twice while it is in the
// cache, for its mean and for the squares about that mean. Tiles are merged after Chan, Golub and
// LeVeque (1979), so that a mean far from 0 costs no digits.
inline void statistics(const Stored* z, const Traversal& walk, Shape shape, const Norm& norm,
                       int threads) {
  enum { N, AVERAGE, SQUARES, COLUMNS };
  Table<Vector> partial(walk.chunks * walk.slots, COLUMNS);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk)
    walk.chunk(chunk, [&](std::int64_t slot, Range range) {
      const std::int64_t end = range.start + range.count * range.stride;
      Vector n = broadcast(float(range.count));
      Vector sum = range.sum([=](std::int64_t at) INLINED { return load(z + at); });
      if (range.rest > 0) {
        n += first_lanes(range.rest, broadcast(1));
        sum += load(z + end, range.rest);
      }
      const Vector average = sum / at_least(broadcast(1), n);
      Vector squares = range.sum([=](std::int64_t at) INLINED {
        const Vector d = load(z + at) - average;
        return d * d;
      });
      if (range.rest > 0) {
        const Vector d = first_lanes(range.rest, load(z + end, range.rest) - average);
        squares += d * d;
      }
      Vector* kept = partial.row(chunk * walk.slots + slot);
      const Vector share = n / at_least(broadcast(1), kept[N] + n), d = average - kept[AVERAGE];
      kept[SQUARES] += squares + d * d * kept[N] * share;
      kept[AVERAGE] += d * share;
      kept[N] += n;
    });

  // First by block, whole vectors at a time; then the blocks' lanes by channel.
  const double n = double(shape.outer) * shape.inner;
  const auto each_part = [&](auto visit) {
    for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk)
      for (std::int64_t slot = 0; slot < walk.slots; ++slot) {
        const Vector* part = partial.row(chunk * walk.slots + slot);
        visit(walk.block(chunk, slot), __builtin_convertvector(part[N], Doubles),
              __builtin_convertvector(part[AVERAGE], Doubles),
              __builtin_convertvector(part[SQUARES], Doubles));
      }
  };
  Table<Doubles> found(walk.blocks, 2);
  each_part([&](std::int64_t block, Doubles count, Doubles average, Doubles) {
    found.row(block)[0] += count * average;
  });
  const std::vector<double> sum = lanes_by_function<1>(walk, shape.functions, found, 0);
  for (std::int64_t c = 0; c < shape.functions; ++c) norm.mean[c] = float(sum[c] / n);
  for (std::int64_t b = 0; b < walk.blocks; ++b)
    for (int lane = 0; lane < LANES; ++lane)
      found.row(b)[0][lane] = sum[walk.function(b, lane)] / n;
  each_part([&](std::int64_t block, Doubles count, Doubles average, Doubles within) {
    const Doubles d = average - found.row(block)[0];
    found.row(block)[1] += within + count * d * d;
  });
  const std::vector<double> squares = lanes_by_function<1>(walk, shape.functions, found, 1);
  for (std::int64_t c = 0; c < shape.functions; ++c) norm.variance[c] = float(squares[c] / n);
  if (!norm.running_mean) return;
  const auto take_in = [&](float& running, double value) {
    running = float((1 - norm.momentum) * running + norm.momentum * value);
  };
  for (std::int64_t c = 0; c < shape.functions; ++c) {
    take_in(norm.running_mean[c], sum[c] / n);
    // The running variance is the unbiased one, the one that normalises is not.
    take_in(norm.running_variance[c], squares[c] / (n - 1));
  }
}

// Returns false if some function does not exist; its values are NaN.
template <class F>
bool norm_forward(const Stored* z, const Stored* residual, Stored* y,
                  const float* const* parameters, std::int64_t functions, Norm norm, Shape shape,
                  int threads) {
  const Traversal walk(shape);
  if (norm.training) statistics(z, walk, shape, norm, threads);
  constexpr int OWN = F::COEFFICIENTS;
  Coefficients coefficients = lane_coefficients<OWN + NORM_COEFFICIENTS>(
      walk, shape.functions, [&](std::int64_t channel, float* out) {
        return prepare_channel<F>(parameters, functions, norm, channel, out);
      },
      TablesOf<F>::COEFFICIENTS);
  const auto pass = [&](auto with_residual) {
    walk_and_sum<OWN + NORM_COEFFICIENTS, 0>(
        walk, shape.functions, coefficients, threads,
        [=](Range range, const Vector* c, Vector*) INLINED {
          range.each([=](auto place) INLINED {
            put_values<F>(place, c, y, [=](int n) INLINED {
              const Vector u = normalised(place.load(z, n), c + OWN);
              return with_residual ? u + place.load(residual, n) : u;
            });
          });
        },
        [](std::int64_t, const double*) {});
  };
  if (residual)
    pass(std::true_type{});
  else
    pass(std::false_type{});
  return coefficients.sound;
}

// g_u receives dL/du, which is the residual's gradient; it may be g_z.
template <class F>
void norm_backward(const Stored* g, const Stored* z, const Stored* residual, Stored* g_u,
                   Stored* g_z, const float* const* parameters, float* const* gradients,
                   std::int64_t functions, Norm norm, float* g_weight, float* g_bias, Shape shape,
                   int threads) {
  const Traversal walk(shape);
  constexpr int OWN = F::COEFFICIENTS;
  enum { SUM = F::SUMS, PROJECTION, SUMS };
  Coefficients coefficients = lane_coefficients<OWN + NORM_COEFFICIENTS>(
      walk, shape.functions, [&](std::int64_t channel, float* out) {
        return prepare_channel<F>(parameters, functions, norm, channel, out);
      },
      TablesOf<F>::COEFFICIENTS);
  const double n = double(shape.outer) * shape.inner;
  enum { G_SCALE, SLOPE, OFFSET, CENTRE, G_COEFFICIENTS };
  std::vector<float> pulls(shape.functions * G_COEFFICIENTS);
  std::vector<double> of_function(functions * at_least_one(F::SUMS));

  const auto reduce = [&](auto with_residual) {
    walk_and_sum<OWN + NORM_COEFFICIENTS, SUMS>(
        walk, shape.functions, coefficients, threads,
        [=](Range range, const Vector* c, Vector* sums) INLINED {
          range.each([=](auto place) INLINED {
            pull<F>(
                place, c, sums,
                [=](int n) INLINED {
                  const Vector u = normalised(place.load(z, n), c + OWN);
                  return with_residual ? u + place.load(residual, n) : u;
                },
                [=](int n) INLINED { return place.load(g, n); },
                [=](int n, Vector down) INLINED {
                  sums[SUM] += down;
                  sums[PROJECTION] += down * (place.load(z, n) - c[OWN + MEAN]);
                  place.store(g_u, n, down);
                });
          });
        },
        [&](std::int64_t channel, const double* sums) {
          const double inverse = 1 / std::sqrt(norm.variance[channel] + norm.eps);
          const double scale = norm.weight[channel] * inverse;
          g_bias[channel] = float(sums[SUM]);
          g_weight[channel] = float(sums[PROJECTION] * inverse);
          const double slope = -scale * inverse * inverse * sums[PROJECTION] / n;
          float* out = &pulls[channel * G_COEFFICIENTS];
          out[G_SCALE] = float(scale);
          out[SLOPE] = norm.training ? float(slope) : 0;
          out[OFFSET] = norm.training ? float(-scale * sums[SUM] / n) : 0;
          out[CENTRE] = norm.mean[channel];
          double* own = &of_function[(functions == 1 ? 0 : channel) * F::SUMS];
          for (int i = 0; i < F::SUMS; ++i) own[i] += sums[i];
        },
        TablesOf<F>::SUMS);
  };
  if (residual)
    reduce(std::true_type{});
  else
    reduce(std::false_type{});
  for (std::int64_t a = 0; a < functions; ++a)
    F::finish(parameters, a, &of_function[a * F::SUMS], gradients);

  Coefficients g_coefficients = lane_coefficients<G_COEFFICIENTS>(
      walk, shape.functions, [&](std::int64_t channel, float* out) {
        std::copy_n(&pulls[channel * G_COEFFICIENTS], int(G_COEFFICIENTS), out);
        return true;
      });
  walk_and_sum<G_COEFFICIENTS, 0>(
      walk, shape.functions, g_coefficients, threads,
      [=](Range range, const Vector* c, Vector*) INLINED {
        range.each([=](auto place) INLINED {
          for (int n = 0; n < place.VECTORS; ++n) {
            const Vector d = place.load(z, n) - c[CENTRE];
            place.store(g_z, n, place.load(g_u, n) * c[G_SCALE] + (d * c[SLOPE] + c[OFFSET]));
          }
        });
      },
      [](std::int64_t, const double*) {});
}
