#include "core/data/tokenise.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/data/encode_row.h"
#include "core/data/windows.h"
#include "core/text/parallel.h"
#include "core/text/suffix_ids.h"

namespace plumb {
namespace {

constexpr std::size_t kWaveBytesAThread = std::size_t{256} << 10;
constexpr std::size_t kMaxExamples = 5;
constexpr auto kProgressInterval = std::chrono::milliseconds(200);

TooLong too_long_rule(const std::string& word, SampleKind kind) {
  const bool is_conversation = kind == SampleKind::conversation;
  if (word == "cut" && kind == SampleKind::prompt) {
    throw Error(
        "data.too_long=cut would cut off where the assistant's turn begins; prompts are "
        "dropped, or an error",
        Exit::usage);
  }
  if (word == "cut" || (word == "auto" && is_conversation)) return TooLong::cut;
  return word == "error" ? TooLong::error : TooLong::drop;
}

// The whole pass. Members are what goes from row to row.
class Pass {
 public:
  Pass(const TokenisePlan& plan, const AddSample& add)
      : plan_(plan),
        options_(*plan.options),
        kind_(plan.request->kind),
        threads_(text::thread_count(plan.request->threads)),
        add_(add),
        windows_(plan.max_length, [this](Sample sample) { keep(std::move(sample)); }) {
    encode_.tokenizer = plan.tokenizer;
    encode_.max_length = plan.max_length;
    encode_.too_long = too_long_rule(options_.too_long, kind_);
    encode_.rows.kind = kind_;
    encode_.rows.columns = options_.columns;
    set_document_ends();
  }

  Accounting run() {
    for (const std::string& path : *plan_.paths) {
      progress_.bytes_total += file_stamp(path).bytes;
    }
    for (const std::string& path : *plan_.paths) read_file(path);
    report_progress();
    check_labels();
    if (totals_.samples == 0) {
      throw Error(plan_.paths->front() + ": no sample is left of " +
                  std::to_string(totals_.rows_read) + " rows:\n" + totals_.describe());
    }
    return totals_;
  }

 private:
  void set_document_ends() {
    const Tokenizer& tokenizer = *plan_.tokenizer;
    encode_.document_start = tokenizer.prefix_ids();
    const auto eos = tokenizer.eos_id();
    if (eos && options_.append_eos) encode_.document_end = {*eos};
    if (plan_.request->is_text_to_text) {
      encode_.is_text_to_text = true;
      encode_.prompt_end = suffix_ids(tokenizer);
      encode_.answer_end = encode_.prompt_end;
      if (encode_.answer_end.empty() && eos) encode_.answer_end = {*eos};
    }
  }

  bool is_full() const { return options_.limit > 0 && num_rows_ >= options_.limit; }

  void read_file(const std::string& path) {
    if (is_full()) return;
    const auto file = std::make_shared<InputFile>(path);
    const RowSource source = open_rows(file, options_.document_separator);
    const std::int64_t rows_before = num_rows_;
    if (source.kind == RawKind::text) plan_documents(path);
    bool has_more = true;
    while (has_more) {
      std::vector<RowWork> wave = next_wave(source, has_more);
      if (wave.empty()) break;
      if (!is_planned_) make_plan(wave);
      encode_rows(wave, source.kind, encode_, threads_);
      for (RowWork& work : wave) settle(work);
      progress_.bytes_read = bytes_before_ + file->bytes_consumed();
      report_progress_sometimes();
    }
    if (num_rows_ == rows_before) throw Error(path + ": it holds no rows");
    bytes_before_ += file_stamp(path).bytes;
  }

  // Rows enough to keep every thread busy; has_more turns false at the end of the file or limit.
  std::vector<RowWork> next_wave(const RowSource& source, bool& has_more) {
    const std::size_t enough = kWaveBytesAThread * static_cast<std::size_t>(threads_);
    std::vector<RowWork> wave;
    std::size_t bytes = 0;
    while (bytes < enough) {
      RowWork work;
      const bool is_new_row = !is_within_row_;
      has_more = !(is_new_row && is_full()) && source.next(work.raw);
      if (!has_more) break;
      bytes += work.raw.bytes.size() + 64;
      work.is_first_piece = is_new_row;
      if (is_new_row) ++num_rows_;
      work.row = num_rows_ - 1;
      is_within_row_ = !work.raw.ends_row;
      wave.push_back(std::move(work));
    }
    return wave;
  }

  // The first row that can be parsed decides the form of all, and the template.
  void make_plan(const std::vector<RowWork>& wave) {
    for (const RowWork& work : wave) {
      try {
        plan_rows(parse_row(work.raw), work.raw.where);
        return;
      } catch (const RowError&) {
        if (!options_.skip_bad) throw;
      }
    }
  }

  void plan_documents(const std::string& where) {
    const bool is_possible =
        kind_ == SampleKind::text && (options_.format == "auto" || options_.format == "text");
    if (!is_possible) {
      throw Error(where + ": a .txt file gives text samples only, not " + sample_kind_name(kind_) +
                  "; use .jsonl");
    }
    set_format(RowFormat::text);
  }

  void plan_rows(const Json& row, const std::string& where) {
    set_format(choose_row_format(options_, kind_, row, where));
    if (encode_.rows.format == RowFormat::text) return refuse_texts_for_two_stacks(where);
    const ChatTemplate chosen = choose_template(row, where);
    encode_.chat = chosen.with_clock({options_.template_date});
    encode_.rows.chat = chosen.format();
    totals_.chat_format = chosen.name();
  }

  void refuse_texts_for_two_stacks(const std::string& where) const {
    if (!encode_.is_text_to_text) return;
    throw Error(where +
                ": a text-to-text model learns to answer prompts, and a text is not divided so; it "
                "needs prompt and completion columns, or messages");
  }

  void set_format(RowFormat format) {
    encode_.rows.format = format;
    totals_.row_format = row_format_name(format);
    is_planned_ = true;
  }

  ChatTemplate choose_template(const Json& row, const std::string& where) const {
    const Tokenizer& tokenizer = *plan_.tokenizer;
    if (options_.chat_template != "auto") {
      return ChatTemplate::choose(options_.chat_template, tokenizer, "data.template");
    }
    if (const auto own = ChatTemplate::own(tokenizer)) return *own;
    if (has_transcripts(row, encode_.rows)) {
      return ChatTemplate::builtin(ChatFormat::plain, tokenizer);
    }
    if (has_message_lists(row, encode_.rows)) {
      throw Error(where +
                      ": the tokenizer has no chat template for these messages; set "
                      "data.template to chatml, plain, llama2, alpaca, none or a .jinja file",
                  Exit::usage);
    }
    return ChatTemplate::builtin(ChatFormat::none, tokenizer);
  }

  // Counts one row, or one piece of a document, in order.
  void settle(RowWork& work) {
    if (work.error) std::rethrow_exception(work.error);
    if (work.is_first_piece) ++totals_.rows_read;
    if (!work.encoded.reason.empty()) {
      skip(work.encoded);
    } else if (kind_ == SampleKind::text) {
      settle_piece(work);
    } else {
      ++totals_.rows_used;
      totals_.rows_cut += work.encoded.was_cut ? 1 : 0;
      note_untrained(work.encoded);
      work.encoded.sample.row = work.row;
      keep(std::move(work.encoded.sample));
    }
    totals_.longest_row = std::max(totals_.longest_row, work.encoded.longest);
  }

  void note_untrained(const EncodedRow& row) {
    if (row.untrained_turns > 0 && totals_.untrained_turns == 0) {
      totals_.untrained_example = row.untrained_because;
    }
    totals_.untrained_turns += row.untrained_turns;
  }

  void settle_piece(const RowWork& work) {
    windows_.start(work.row);
    windows_.add(work.tokens);
    if (!work.raw.ends_row) return;
    const std::int64_t length = windows_.end();
    totals_.longest_row = std::max(totals_.longest_row, length);
    if (length >= 2) {
      ++totals_.rows_used;
    } else {
      EncodedRow row;
      row.reason = "too short";
      row.story = work.raw.where + ": a document of fewer than 2 tokens has nothing to predict";
      skip(row);
    }
  }

  // Rows that say nothing or only repeat are counted; rows that are wrong stop the pass.
  void skip(const EncodedRow& row) {
    static constexpr std::array kHarmless{"empty text", "too short", "too long",
                                          "chosen equals rejected"};
    const bool is_harmless = row.is_unlabelled || std::find(kHarmless.begin(), kHarmless.end(),
                                                            row.reason) != kHarmless.end();
    if (!is_harmless && !options_.skip_bad) {
      throw Error(row.story +
                  ". Mend the row, or set data.skip_bad=true to count such rows and go on");
    }
    ++totals_.skipped[row.reason];
    unlabelled_ += row.is_unlabelled ? 1 : 0;
    if (row.is_unlabelled && first_unlabelled_.empty()) first_unlabelled_ = row.story;
    if (totals_.examples.size() < kMaxExamples) totals_.examples.push_back(row.story);
  }

  void keep(Sample sample) {
    ++totals_.samples;
    for (const Sequence& sequence : sample.sequences) {
      ++totals_.sequences;
      totals_.trained_tokens += trained_tokens(sequence);
      totals_.ends_trained += is_end_trained(sequence) ? 1 : 0;
    }
    totals_.tokens += sample.length();
    totals_.longest_sample = std::max(totals_.longest_sample, sample.length());
    add_(sample);
  }

  // Whether the model learns to stop: the last trained token is EOS.
  bool is_end_trained(const Sequence& sequence) const {
    const auto last = std::find_if(sequence.spans.rbegin(), sequence.spans.rend(),
                                   [](const Span& span) { return span.is_trained; });
    if (last == sequence.spans.rend()) return false;
    const auto eos = plan_.tokenizer->eos_id();
    return eos && sequence.tokens.at(static_cast<std::size_t>(last->end) - 1) == *eos;
  }

  void check_labels() const {
    if (unlabelled_ == 0 || options_.empty_labels == "drop") return;
    throw Error(std::to_string(unlabelled_) + " of " + std::to_string(totals_.rows_read) +
                " rows have no trained token, the first: " + first_unlabelled_ +
                ". Raise data.max_length if they were cut, or set data.empty_labels=drop");
  }

  void report_progress_sometimes() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_report_ < kProgressInterval) return;
    last_report_ = now;
    report_progress();
  }

  void report_progress() {
    if (!plan_.request->progress) return;
    progress_.rows_read = totals_.rows_read;
    progress_.tokens = totals_.tokens;
    plan_.request->progress(progress_);
  }

  const TokenisePlan& plan_;
  const DataOptions& options_;
  SampleKind kind_;
  int threads_;
  const AddSample& add_;
  WindowMaker windows_;
  EncodePlan encode_;
  Accounting totals_;
  PrepareProgress progress_;
  std::chrono::steady_clock::time_point last_report_{};
  std::int64_t bytes_before_ = 0;  // of the files done
  std::int64_t num_rows_ = 0;
  std::int64_t unlabelled_ = 0;
  std::string first_unlabelled_;
  bool is_planned_ = false;
  bool is_within_row_ = false;
};

}  // namespace

Accounting tokenise(const TokenisePlan& plan, const AddSample& add) {
  return Pass(plan, add).run();
}

}  // namespace plumb
