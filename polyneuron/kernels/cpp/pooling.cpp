// One function pooled, compiled as pointwise.cpp is, for float32. Convolutions call it through
// pointers (convolution.hpp): no convolution is compiled for each function, nor the other way.
#include "windows.hpp"

#include HEADER

extern "C" {

// Floats of the table that `pool_prepare` writes for so many channels.
std::int64_t pool_table(std::int64_t channels) {
  const Traversal walk({channels, channels, 1});
  return walk.blocks * at_least_one(FUNCTION::COEFFICIENTS) * LANES;
}

// Writes the coefficients of the lanes of channels-last windows; returns false if some function
// does not exist.
bool pool_prepare(const float* const* parameters, std::int64_t functions, std::int64_t channels,
                  float* table) {
  const Traversal walk({channels, channels, 1});
  Coefficients made = lane_coefficients<FUNCTION::COEFFICIENTS>(
      walk, channels, [&](std::int64_t channel, float* out) {
        return FUNCTION::prepare(parameters, functions == 1 ? 0 : channel, out);
      },
      TablesOf<FUNCTION>::COEFFICIENTS);
  std::memcpy(table, made.by_block.row(0), pool_table(channels) * sizeof(float));
  return made.sound;
}

void pool_windows(const float* table, std::int64_t channels, const float* planes,
                  std::int64_t apart, std::int64_t n, float* y, float* kept, std::uint8_t* which) {
  const Traversal walk({channels, channels, 1});
  pool<FUNCTION>((const Vector*)table, walk.blocks, {planes, apart}, n, {y, kept, which});
}

// x (n, channels, height, width), channels-last or contiguous; results in its memory format.
bool pool_forward(const float* x, float* y, float* kept, std::uint8_t* which,
                  const float* const* parameters, std::int64_t functions, std::int64_t n,
                  std::int64_t channels, std::int64_t height, std::int64_t width,
                  int channels_last, int threads) {
  // A contiguous image is as many images of one channel, each with its function.
  const Image image{channels_last ? channels : 1, height, width};
  const std::int64_t images = channels_last ? n : n * channels;
  const std::int64_t tables = channels_last || functions == 1 ? 1 : channels;
  const std::int64_t size = pool_table(image.channels);
  Table<Vector> table(tables, int(size / LANES));
  bool sound = true;
  for (std::int64_t t = 0; t < tables; ++t) {
    const std::int64_t lanes = tables > 1 ? 1 : image.channels;
    const Traversal walk({lanes, lanes, 1});
    Coefficients made = lane_coefficients<FUNCTION::COEFFICIENTS>(
        walk, lanes, [&](std::int64_t channel, float* out) {
          return FUNCTION::prepare(parameters, functions == 1 ? 0 : tables > 1 ? t : channel, out);
        },
        TablesOf<FUNCTION>::COEFFICIENTS);
    std::memcpy(table.row(t), made.by_block.row(0), size * sizeof(float));
    sound &= made.sound;
  }
  const Traversal walk({image.channels, image.channels, 1});
  const Gather gather(image);
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> planes(image.plane() * POSITIONS);
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < images; ++i)
      image.bands([&](std::int64_t row, std::int64_t rows) {
        gather.band(x + i * image.size(), x + images * image.size(), row, rows, planes.data());
        const std::int64_t at = i * image.windows() + row * image.row_windows();
        pool<FUNCTION>(table.row(tables > 1 ? i % tables : 0), walk.blocks,
                       {planes.data(), image.plane()}, rows * image.row_windows(),
                       Pooled{y, kept, which}.from(at));
      });
  }
  return sound;
}

// The gradient of x from those of the selected x, in x's memory format.
void pool_backward(const float* g, const std::uint8_t* which, float* g_x, std::int64_t n,
                   std::int64_t channels, std::int64_t height, std::int64_t width,
                   int channels_last, int threads) {
  const Image image{channels_last ? channels : 1, height, width};
  spread(g, which, g_x, image, channels_last ? n : n * channels, threads);
}
}
