// Convolution (stride 1) before 2x2 max pooling, channels-last, for one shape.
//
// Output channels lie in lanes, a row's columns in registers. What is between the convolution and
// the pooled values is `Pool`, called for a band of windows at a time. A max pool passes a gradient
// to one position in four, and the gradients visit these positions alone.
//
// Images are taken in chunks by the shape alone, and the chunks' sums added in order: the bits are
// the same with any number of threads.
#pragma once

#include "windows.hpp"

#if defined(__AVX512F__)
constexpr int ACCUMULATORS = 24;  // of 32 registers
#else
constexpr int ACCUMULATORS = 12;  // of 16
#endif

// The narrowest vector that holds n floats, up to a register.
constexpr int lanes_for(int n) {
  int lanes = 4;
  while (lanes < n && lanes < LANES) lanes *= 2;
  return lanes;
}

template <int N>
struct Row {
  typedef float Lanes __attribute__((vector_size(N * sizeof(float))));
  static Lanes load(const float* from) {
    Lanes x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(float* to, Lanes x) { std::memcpy(to, &x, sizeof x); }
};

// A function's entry points in pooling.cpp.
struct Pool {
  std::int64_t (*table)(std::int64_t);
  bool (*prepare)(const float* const*, std::int64_t, std::int64_t, float*);
  void (*windows)(const float*, std::int64_t, const float*, std::int64_t, std::int64_t, float*,
                  float*, std::uint8_t*);
};

// A weight (OUT, IN, K, K) in any memory format.
struct Weight {
  const std::int64_t* stride;
  std::int64_t at(int o, int c, int y, int x) const {
    return o * stride[0] + c * stride[1] + y * stride[2] + x * stride[3];
  }
};

template <int IN, int OUT, int K, int PADDING, int HEIGHT, int WIDTH>
struct Convolution {
  static constexpr int PADDED_WIDTH = WIDTH + 2 * PADDING, LINE = PADDED_WIDTH * IN;
  static constexpr int ROWS = (HEIGHT + 2 * PADDING - K + 1) / 2;  // of windows
  static constexpr int COLUMNS = (PADDED_WIDTH - K + 1) / 2, WINDOWS = ROWS * COLUMNS;
  static constexpr int TAPS = K * IN;  // of one row of the kernel, contiguous in an image
  static constexpr int PADDED = (HEIGHT + 2 * PADDING) * LINE + 2 * LANES;

  // The forward pass: output channels in lanes.
  static constexpr int OUT_LANES = lanes_for(OUT), OUT_VECTORS = (OUT + OUT_LANES - 1) / OUT_LANES;
  using Outputs = Row<OUT_LANES>;
  static constexpr int most_pixels() {
    const int fitting = std::max(2, ACCUMULATORS / OUT_VECTORS / 2 * 2);
    const int blocks = (2 * COLUMNS + fitting - 1) / fitting;
    return (2 * COLUMNS + 2 * blocks - 1) / (2 * blocks) * 2;
  }
  static constexpr int PIXELS = most_pixels();

  // The backward pass: taps in lanes.
  static constexpr int TAP_LANES = lanes_for(TAPS), TAP_VECTORS = (TAPS + TAP_LANES - 1) / TAP_LANES;
  using Taps = Row<TAP_LANES>;
  static constexpr int LINES = std::min(K, std::max(1, ACCUMULATORS / TAP_VECTORS));
  static constexpr int TOGETHER_OUT =
      OUT % 2 == 0 && 2 * LINES * TAP_VECTORS <= ACCUMULATORS ? 2 : 1;
  static constexpr int PACKED = TAP_VECTORS * TAP_LANES;  // a kernel's row, filled with zeros
  static constexpr int CHUNK = 4;                         // images

  static void pad(const float* image, float* padded) {
    for (int y = 0; y < HEIGHT; ++y)
      std::memcpy(padded + (y + PADDING) * LINE + PADDING * IN, image + y * WIDTH * IN,
                  WIDTH * IN * sizeof(float));
  }

  // The values at N pixels of a row: every second one goes to `odd`, those of a plane `step` apart.
  template <int N>
  INLINED static void pixels(const float* x, const float* weight, const float* bias, float* even,
                             float* odd, int step = OUT) {
    typename Outputs::Lanes sum[N][OUT_VECTORS];
#pragma GCC unroll 32
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
      for (int v = 0; v < OUT_VECTORS; ++v) sum[n][v] = Outputs::load(bias + v * OUT_LANES);
    for (int y = 0; y < K; ++y)
      for (int t = 0; t < TAPS; ++t, weight += OUT_VECTORS * OUT_LANES) {
        const float* from = x + y * LINE + t;
        typename Outputs::Lanes w[OUT_VECTORS];
#pragma GCC unroll 8
        for (int v = 0; v < OUT_VECTORS; ++v) w[v] = Outputs::load(weight + v * OUT_LANES);
#pragma GCC unroll 32
        for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
          for (int v = 0; v < OUT_VECTORS; ++v) sum[n][v] += from[n * IN] * w[v];
      }
    // Ascending: a pixel's unused lanes are overwritten by the next.
#pragma GCC unroll 32
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
      for (int v = 0; v < OUT_VECTORS; ++v)
        Outputs::store((n % 2 ? odd : even) + n / 2 * step + v * OUT_LANES, sum[n][v]);
  }

  // A weight and a bias as `pixels` reads them, filled with zeros.
  struct Packed {
    std::vector<float> weight, bias;
    Packed(const float* from, Weight layout, const float* offsets)
        : weight(K * TAPS * OUT_VECTORS * OUT_LANES), bias(OUT_VECTORS * OUT_LANES) {
      for (int ky = 0; ky < K; ++ky)
        for (int t = 0; t < TAPS; ++t)
          for (int o = 0; o < OUT; ++o)
            weight[(ky * TAPS + t) * OUT_VECTORS * OUT_LANES + o] =
                from[layout.at(o, t % IN, ky, t / IN)];
      std::copy_n(offsets, OUT, bias.data());
    }
  };

  // The values before any function or pooling: y (images, VALUE_ROWS, VALUE_COLUMNS, OUT).
  static constexpr int VALUE_ROWS = HEIGHT + 2 * PADDING - K + 1;
  static constexpr int VALUE_COLUMNS = PADDED_WIDTH - K + 1;
  static void values(const float* x, const float* weight, Weight layout, const float* bias,
                     float* y, std::int64_t images, int threads) {
    const Packed packed(weight, layout, bias);
    constexpr int FLOATS = VALUE_COLUMNS * OUT;
#pragma omp parallel num_threads(threads)
    {
      // With room for the last pixel's unused lanes.
      std::vector<float> padded(PADDED), row(FLOATS + OUT_VECTORS * OUT_LANES);
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < images; ++i) {
        pad(x + i * HEIGHT * WIDTH * IN, padded.data());
        for (int r = 0; r < VALUE_ROWS; ++r) {
          const auto some = [&](int q, auto n) INLINED {
            float* to = row.data() + q * OUT;
            pixels<n>(padded.data() + r * LINE + q * IN, packed.weight.data(), packed.bias.data(),
                      to, to + OUT, 2 * OUT);
          };
          int q = 0;
          for (; q + PIXELS <= VALUE_COLUMNS; q += PIXELS)
            some(q, std::integral_constant<int, PIXELS>{});
          if constexpr (VALUE_COLUMNS % PIXELS != 0)
            some(q, std::integral_constant<int, VALUE_COLUMNS % PIXELS>{});
          std::copy_n(row.data(), FLOATS, y + (i * VALUE_ROWS + r) * FLOATS);
        }
      }
    }
  }

  // Returns false if some function does not exist; its values are NaN.
  static bool forward(const float* x, const float* weight, Weight layout, const float* bias,
                      const float* const* parameters, std::int64_t functions, Pool pool, float* y,
                      float* kept, std::uint8_t* which, std::int64_t images, int threads) {
    const Packed packed(weight, layout, bias);
    std::vector<float> table(pool.table(OUT) + LANES);
    // The function reads its table as aligned vectors.
    float* aligned = (float*)(ceiling(std::int64_t(table.data()), REGISTER_BYTES) * REGISTER_BYTES);
    const bool sound = pool.prepare(parameters, functions, OUT, aligned);
    const Image shape{OUT, 2 * ROWS, 2 * COLUMNS};
#pragma omp parallel num_threads(threads)
    {
      std::vector<float> padded(PADDED), planes(shape.plane() * POSITIONS);
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < images; ++i) {
        pad(x + i * HEIGHT * WIDTH * IN, padded.data());
        shape.bands([&](std::int64_t first, std::int64_t rows) {
          for (std::int64_t r = 0; r < 2 * rows; ++r) {
            float* even = planes.data() + r % 2 * 2 * shape.plane() + r / 2 * shape.row_windows();
            const float* line = padded.data() + (2 * first + r) * LINE;
            int q = 0;
            for (; q + PIXELS <= 2 * COLUMNS; q += PIXELS)
              pixels<PIXELS>(line + q * IN, packed.weight.data(), packed.bias.data(),
                             even + q / 2 * OUT, even + shape.plane() + q / 2 * OUT);
            if constexpr (2 * COLUMNS % PIXELS != 0)
              pixels<2 * COLUMNS % PIXELS>(line + q * IN, packed.weight.data(),
                                           packed.bias.data(), even + q / 2 * OUT,
                                           even + shape.plane() + q / 2 * OUT);
          }
          const std::int64_t at = i * WINDOWS * OUT + first * shape.row_windows();
          pool.windows(aligned, OUT, planes.data(), shape.plane(), rows * shape.row_windows(),
                       y + at, kept + at, which + at);
        });
      }
    }
    return sound;
  }

  static int offset(int position) { return (position / 2 * PADDED_WIDTH + position % 2) * IN; }

  // Adds to sums (OUT, K, PACKED), for `TOGETHER_OUT` outputs from o on and N lines from `line` on.
  template <int N>
  INLINED static void pull_weight(const float* padded, const float* g, const std::uint8_t* which,
                                  int images, int o, int line, float* sums) {
    typename Taps::Lanes sum[TOGETHER_OUT][N][TAP_VECTORS] = {};
    const int offsets[POSITIONS] = {offset(0), offset(1), offset(2), offset(3)};
    g += o, which += o;
    for (int i = 0; i < images; ++i)
      for (int row = 0; row < ROWS; ++row) {
        const float* corner = padded + i * PADDED + (2 * row + line) * LINE;
        for (int column = 0; column < COLUMNS; ++column, corner += 2 * IN, g += OUT, which += OUT)
#pragma GCC unroll 2
          for (int p = 0; p < TOGETHER_OUT; ++p) {
            const float* from = corner + offsets[which[p]];
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n)
#pragma GCC unroll 8
              for (int v = 0; v < TAP_VECTORS; ++v)
                sum[p][n][v] += Taps::load(from + n * LINE + v * TAP_LANES) * g[p];
          }
      }
    for (int p = 0; p < TOGETHER_OUT; ++p)
      for (int n = 0; n < N; ++n)
        for (int v = 0; v < TAP_VECTORS; ++v)
          Taps::store(sums + ((o + p) * K + line + n) * PACKED + v * TAP_LANES, sum[p][n][v]);
  }

  // Adds to an image's gradient what N lines of the outputs in `list` give it at one position.
  template <int N>
  INLINED static void pull_input(const float* packed, const float* g, const std::uint8_t* list,
                                 int length, int line, float* to) {
    typename Taps::Lanes sum[N][TAP_VECTORS] = {};
    for (int n = 0; n < length; ++n) {
      const float* weight = packed + (list[n] * K + line) * PACKED;
#pragma GCC unroll 8
      for (int l = 0; l < N; ++l)
#pragma GCC unroll 8
        for (int v = 0; v < TAP_VECTORS; ++v)
          sum[l][v] += Taps::load(weight + l * PACKED + v * TAP_LANES) * g[list[n]];
    }
#pragma GCC unroll 8
    for (int l = 0; l < N; ++l)
#pragma GCC unroll 8
      for (int v = 0; v < TAP_VECTORS; ++v) {
        float* at = to + (line + l) * LINE + v * TAP_LANES;
        Taps::store(at, Taps::load(at) + sum[l][v]);
      }
  }

  // Calls visit(first line, number of lines) for all lines of a kernel, as registers hold them.
  template <class Visit>
  INLINED static void line_groups(Visit visit) {
    for (int line = 0; line + LINES <= K; line += LINES)
      visit(line, std::integral_constant<int, LINES>{});
    if constexpr (K % LINES != 0)
      visit(K - K % LINES, std::integral_constant<int, K % LINES>{});
  }

  static void input_gradient(const float* packed, const float* g, const std::uint8_t* which,
                             float* padded) {
    for (int w = 0; w < WINDOWS; ++w) {
      std::uint8_t lists[POSITIONS][OUT];
      int length[POSITIONS] = {};
      for (int o = 0; o < OUT; ++o) {
        const int p = which[w * OUT + o];
        lists[p][length[p]++] = std::uint8_t(o);
      }
      for (int p = 0; p < POSITIONS; ++p) {
        if (length[p] == 0) continue;
        float* to = padded + 2 * (w / COLUMNS) * LINE + 2 * (w % COLUMNS) * IN + offset(p);
        line_groups([&](int line, auto n) INLINED {
          pull_input<n>(packed, g + w * OUT, lists[p], length[p], line, to);
        });
      }
    }
  }

  // g are the gradients of the selected pre-activations; g_x may be null.
  static void backward(const float* g, const std::uint8_t* which, const float* x,
                       const float* weight, Weight layout, float* g_x, float* g_weight,
                       float* g_bias, std::int64_t images, int threads) {
    std::vector<float> packed(OUT * K * PACKED);
    for (int o = 0; o < OUT; ++o)
      for (int ky = 0; ky < K; ++ky)
        for (int t = 0; t < TAPS; ++t)
          packed[(o * K + ky) * PACKED + t] = weight[layout.at(o, t % IN, ky, t / IN)];
    const std::int64_t chunks = ceiling(images, CHUNK);
    constexpr int SUMS = OUT * K * PACKED;
    std::vector<float> partial(chunks * (SUMS + OUT));
#pragma omp parallel num_threads(threads)
    {
      std::vector<float> padded(CHUNK * PADDED), g_padded(PADDED);
#pragma omp for schedule(static)
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
        const std::int64_t first = chunk * CHUNK;
        const int n = int(std::min(std::int64_t(CHUNK), images - first));
        const float* own_g = g + first * WINDOWS * OUT;
        const std::uint8_t* own_which = which + first * WINDOWS * OUT;
        float* sums = &partial[chunk * (SUMS + OUT)];
        for (int i = 0; i < n; ++i)
          pad(x + (first + i) * HEIGHT * WIDTH * IN, &padded[i * PADDED]);
        for (int o = 0; o < OUT; o += TOGETHER_OUT)
          line_groups([&](int line, auto lines) INLINED {
            pull_weight<lines>(padded.data(), own_g, own_which, n, o, line, sums);
          });
        float by_bias[OUT] = {};
        for (int w = 0; w < n * WINDOWS; ++w)
          for (int o = 0; o < OUT; ++o) by_bias[o] += own_g[w * OUT + o];
        std::copy_n(by_bias, OUT, sums + SUMS);
        if (!g_x) continue;
        for (int i = 0; i < n; ++i) {
          std::fill(g_padded.begin(), g_padded.end(), 0.0f);
          input_gradient(packed.data(), own_g + i * WINDOWS * OUT, own_which + i * WINDOWS * OUT,
                         g_padded.data());
          for (int row = 0; row < HEIGHT; ++row)
            std::memcpy(g_x + ((first + i) * HEIGHT + row) * WIDTH * IN,
                        &g_padded[(row + PADDING) * LINE + PADDING * IN],
                        WIDTH * IN * sizeof(float));
        }
      }
    }
    std::vector<double> total(SUMS + OUT);
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int i = 0; i < SUMS + OUT; ++i) total[i] += partial[chunk * (SUMS + OUT) + i];
    for (int o = 0; o < OUT; ++o) {
      g_bias[o] = float(total[SUMS + o]);
      for (int ky = 0; ky < K; ++ky)
        for (int t = 0; t < TAPS; ++t)
          g_weight[layout.at(o, t % IN, ky, t / IN)] = float(total[(o * K + ky) * PACKED + t]);
    }
  }
};
