// Images and the planes of their 2x2 windows: gathering before pooling, spreading after it.
#pragma once

#include "pooling.hpp"

struct Image {
  std::int64_t channels, height, width;
  std::int64_t size() const { return channels * height * width; }
  // An odd last row or column has no window.
  std::int64_t row_windows() const { return width / 2 * channels; }
  std::int64_t windows() const { return height / 2 * row_windows(); }
  std::int64_t band() const {
    return std::max(std::int64_t(1), BAND_WINDOWS / std::max(std::int64_t(1), row_windows()));
  }
  // With room for whole vectors past the end.
  std::int64_t plane() const { return std::min(band(), height / 2) * row_windows() + 2 * LANES; }

  // Calls visit(first, rows) with a few rows of windows at a time.
  template <class Visit>
  void bands(Visit visit) const {
    for (std::int64_t row = 0; row < height / 2; row += band())
      visit(row, std::min(band(), height / 2 - row));
  }

  // Fills the planes of a band from one image.
  void gather(const float* x, std::int64_t first, std::int64_t rows, float* planes) const {
    for (std::int64_t r = 0; r < 2 * rows; ++r) {
      const float* from = x + (2 * first + r) * width * channels;
      float* to = planes + r % 2 * 2 * plane() + r / 2 * row_windows();
      copy(from, to, to + plane());
    }
  }

 private:
  // Deals the pixels of one row to two planes. Whole vectors go out in ascending order, each over
  // what the last one wrote too far: masked stores are slow on some processors.
  void copy(const float* from, float* even, float* odd) const {
    const std::int64_t pairs = width / 2;
    if (channels == 1) {
      for (std::int64_t i = 0; i < pairs; ++i) {
        even[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
      }
      return;
    }
    for (std::int64_t i = 0; i < pairs; ++i) {
      for (std::int64_t c = 0; c < channels; ++c) {
        even[i * channels + c] = from[2 * i * channels + c];
        odd[i * channels + c] = from[(2 * i + 1) * channels + c];
      }
    }
  }
};

// dL/dx (images of a shape) from the gradients of the windows' selected x: 0 at all other places.
inline void spread(const float* g, const std::uint8_t* which, float* g_x, Image image,
                   std::int64_t images, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < images; ++i) {
    float* to = g_x + i * image.size();
    if (image.height % 2 || image.width % 2) std::memset(to, 0, image.size() * sizeof(float));
    const std::int64_t C = image.channels;
    for (std::int64_t r = 0; r < image.height / 2; ++r)
      for (std::int64_t a = 0; a < 2; ++a) {
        const std::int64_t at = i * image.windows() + r * image.row_windows();
        float* row = to + (2 * r + a) * image.width * C;
        if (C == 1) {
          for (std::int64_t j = 0; j < image.width / 2; ++j) {
            row[2 * j] = which[at + j] == 2 * a ? g[at + j] : 0;
            row[2 * j + 1] = which[at + j] == 2 * a + 1 ? g[at + j] : 0;
          }
          continue;
        }
        for (std::int64_t j = 0; j < image.width / 2; ++j)
          for (std::int64_t b = 0; b < 2; ++b)
            for (std::int64_t c = 0; c < C; ++c) {
              const std::int64_t w = at + j * C + c;
              row[(2 * j + b) * C + c] = which[w] == 2 * a + b ? g[w] : 0;
            }
      }
  }
}
