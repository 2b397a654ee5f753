// How the attention kernels cut a packed batch: into sequences, and each (sequence, kv head) into
// parts that run on any thread. The cut follows from the shapes alone, so that results do not
// depend on the number of threads.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/ops/attention.h"
#include "core/ops/attention_tile.h"

namespace plumb::tile {

// Rows of heads: element (row, head, d) lies at data[row * row_stride + head * head_stride + d].
template <class T>
struct Heads {
  T* data;
  int64_t row_stride;
  int64_t head_stride;

  T* at(int64_t row, int64_t head) const { return data + row * row_stride + head * head_stride; }
};

// The tensor's last dimension must be dense.
Heads<const float> heads_of(const at::Tensor& x);
Heads<float> mutable_heads_of(const at::Tensor& x);

struct SequenceRows {
  int64_t query_begin, queries;
  int64_t key_begin, keys;
  int64_t shift;  // position of the first query among the keys
};

// What every part of a call shares.
struct Problem {
  explicit Problem(const AttentionInputs& in);

  Heads<const float> q, k, v;
  std::vector<SequenceRows> sequences;
  int64_t kv_heads, group;  // group: H / K
  int64_t dim, width;       // width: D in whole registers
  double scale;
  bool is_causal;
  int64_t window;
  float softcap;
  const float* key_bias = nullptr;  // (H, key_bias_stride) or null
  int64_t key_bias_stride = 0;
  // Relative bias times log2(e), (H, relative_stride), offsets falling: key - query stands at
  // index relative_future - (key - query), so that it rises with the query. Null: none.
  const float* relative = nullptr;
  int64_t relative_stride = 0, relative_future = 0;
  int64_t offsets = 0;  // of them: without the padding behind a row

  int64_t query_blocks(const SequenceRows& s) const { return (s.queries + kTile - 1) / kTile; }

 private:
  at::Tensor key_bias_memory_, relative_memory_;
};

// Blocks of queries `part`, `part + parts`, ... of the group's heads, block by block and head by
// head within: so each part has early (short) and late (long) ones.
struct Part {
  int64_t sequence;
  int64_t kv_head;
  int64_t part, parts;
  double cost;  // of the whole, for the order
};

// Parts of one (sequence, kv head) follow one another.
std::vector<Part> parts_of(const Problem& problem);

// Runs body(index of a part) for all of them, costly ones first, on as many threads as pay.
void run_parts(const std::vector<Part>& parts, const std::function<void(int64_t)>& body);

// One block of queries of a head and the tiles of keys that it sees.
struct Block {
  int64_t head;                // of all query heads
  int64_t row;                 // of q
  int64_t first;               // query within the sequence
  int64_t count;               // at most kTile
  int64_t key_begin, key_end;  // seen by any of the queries; key_begin a multiple of kTile
  int64_t keys;                // of the sequence
  int64_t position;            // of the first query among the keys

  // Of the tile whose first key is `key`.
  Band band(const Problem& problem, int64_t key) const;
};

Block block_of(const Problem& problem, const Part& part, int64_t unit);

template <class Body>
void for_blocks(const Problem& problem, const Part& part, const Body& body) {
  const int64_t units = problem.query_blocks(problem.sequences[part.sequence]) * problem.group;
  for (int64_t unit = part.part; unit < units; unit += part.parts) {
    body(block_of(problem, part, unit));
  }
}

// `kept`, grown to hold so many floats from a 64-byte boundary on, which is returned.
float* aligned_floats(std::vector<float>& kept, int64_t count);

// Memory of this thread, kept from call to call: pieces are added first, then taken. What lies in
// it is left over from before.
class Scratch {
 public:
  // Offset of a piece of so many floats.
  int64_t add(int64_t floats) {
    const int64_t offset = size_;
    size_ += round_up(floats, 16);
    return offset;
  }
  float* memory() const;

 private:
  int64_t size_ = 0;
};

// to (count rounded up to kTile, width) = rows of a head, zeros beyond.
void copy_rows(const Heads<const float>& from, int64_t row, int64_t head, int64_t count,
               const Problem& problem, float* to);

// Brings rows of a head, dim wide, nearer, to be written soon.
void prefetch_rows(const Heads<float>& to, int64_t row, int64_t head, int64_t count, int64_t dim);

// to (width, kTile) = factor * `count` rows of `from` (kTile, width) transposed.
void transpose_rows(const float* from, int64_t count, int64_t width, float factor, float* to);

}  // namespace plumb::tile
