// Which parts of a rendered conversation are the assistant's to learn.
//
// A turn's part begins where the rendering of what comes before it, with the generation prompt,
// leaves off: that is where the model will begin. It ends before what the rendering up to and with
// the turn no longer shares with the whole, at the mark that ends the turn. Every byte knows its
// message, and the result is checked by that: a part holds all the words of its turn and no one
// else's. Where a template renders earlier turns otherwise once more follows (it drops old
// reasoning, or moves the system message to the last turn) the check fails, and the turn is left
// untrained.
#include <algorithm>

#include "core/error.h"
#include "core/text/chat_parts.h"
#include "core/text/jinja/characters.h"

namespace plumb {

namespace {

using jinja::ByteRange;
using jinja::Origin;
using jinja::TracedText;

struct Untrainable {
  std::string because;
};

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<std::size_t>(end - a.begin());
}

class TurnFinder {
 public:
  TurnFinder(const ChatTemplateParts& parts, const Conversation& conversation, const Json& messages,
             const TracedText& whole)
      : parts_(parts),
        conversation_(conversation),
        messages_(messages),
        whole_(whole),
        special_(find_special(parts.specials, whole)) {
    std::erase_if(special_, [](const FoundToken& token) { return token.is_forged; });
  }

  ByteRange find(std::size_t turn) const {
    const std::size_t begin = begin_of(turn);
    const std::size_t limit = limit_of(turn);
    if (begin > limit) throw Untrainable{"what opens the turn is not where it begins"};
    check_words(turn, {begin, limit});
    return {begin, end_of(turn, {begin, limit})};
  }

 private:
  TracedText rendered(std::size_t count, bool adds_prompt) const {
    try {
      return render_messages(parts_, conversation_, messages_, count, adds_prompt).text;
    } catch (const jinja::TemplateError& error) {
      throw Untrainable{"the turns before it do not render alone (" + error.rule + ")"};
    }
  }

  // A special token is not cut through: back to where it begins.
  std::size_t outside_token(std::size_t at) const {
    for (const FoundToken& token : special_) {
      if (token.begin < at && at < token.end) return token.begin;
    }
    while (at > 0 && at < whole_.bytes.size() && (whole_.bytes[at] & 0xC0) == 0x80) --at;
    return at;
  }

  std::size_t begin_of(std::size_t turn) const {
    const TracedText before = rendered(turn, true);
    const std::size_t shared = common_prefix(before.bytes, whole_.bytes);
    const std::size_t words = end_of_words(before);
    if (shared < words) {
      throw Untrainable{"the template renders the turns before it otherwise once it follows"};
    }
    if (shared == before.bytes.size()) return shared;
    // The answer does not go on as the prompt does (it has no <think>, say): back to the last mark.
    std::size_t mark = words;
    for (const FoundToken& token : special_) {
      if (token.end <= shared) mark = std::max(mark, token.end);
    }
    return mark > words ? mark : outside_token(shared);
  }

  std::size_t limit_of(std::size_t turn) const {
    if (turn + 1 == messages_.size()) return whole_.bytes.size();
    return outside_token(common_prefix(rendered(turn + 1, false).bytes, whole_.bytes));
  }

  void check_words(std::size_t turn, const ByteRange& range) const {
    const auto own = static_cast<Origin>(turn + 1);
    std::size_t begin = 0;
    for (const jinja::OriginRun& run : whole_.runs) {
      const bool touches = begin < range.end && run.end > range.begin;
      const bool is_within = begin >= range.begin && run.end <= range.end;
      if (run.origin == own && !is_within) {
        throw Untrainable{
            "its words also stand elsewhere, or are rendered otherwise once more "
            "turns follow"};
      }
      if (touches && run.origin != own && run.origin != jinja::kTemplate) {
        throw Untrainable{"words of another stand within it"};
      }
      begin = run.end;
    }
  }

  std::size_t with_space(const FoundToken& token, std::size_t limit) const {
    if (!token.token->takes_space) return token.end;
    return std::min(jinja::skip_space(whole_.bytes, token.end), limit);
  }

  // Behind the EOS, or the last special token when only white space follows it.
  std::size_t end_of(std::size_t turn, const ByteRange& range) const {
    std::size_t words = range.begin, begin = 0;
    for (const jinja::OriginRun& run : whole_.runs) {
      if (run.origin == static_cast<Origin>(turn + 1) && run.end <= range.end &&
          begin >= range.begin) {
        words = run.end;
      }
      begin = run.end;
    }
    const FoundToken* last = nullptr;
    const auto eos = parts_.tokenizer.eos_id();
    for (const FoundToken& token : special_) {
      if (token.begin < words || token.end > range.end) continue;
      if (eos && token.token->id == *eos) return with_space(token, range.end);
      last = &token;
    }
    if (!last || jinja::skip_space(whole_.bytes, last->end) < range.end) return range.end;
    return with_space(*last, range.end);
  }

  const ChatTemplateParts& parts_;
  const Conversation& conversation_;
  const Json& messages_;
  const TracedText& whole_;
  std::vector<FoundToken> special_;
};

// Of {% generation %} blocks; they may hold nobody's words but the assistant's.
TrainedParts trained_blocks(const ChatTemplateParts& parts, const Conversation& conversation,
                            const jinja::Rendering& whole) {
  TrainedParts out;
  for (const ByteRange& range : whole.generated) {
    if (range.begin == range.end) continue;
    const bool is_ordered = out.ranges.empty() || out.ranges.back().end <= range.begin;
    if (!is_ordered || range.end > whole.text.bytes.size()) {
      throw Error("the chat template '" + parts.name +
                  "' nests {% generation %} blocks, or has one within a macro or a set block");
    }
    std::size_t begin = 0;
    for (const jinja::OriginRun& run : whole.text.runs) {
      const bool touches = begin < range.end && run.end > range.begin;
      begin = run.end;
      if (!touches || run.origin <= 0) continue;
      const auto message = static_cast<std::size_t>(run.origin - 1);
      if (conversation.messages[message].role == Role::assistant) continue;
      throw Error("the chat template '" + parts.name + "' has words of message " +
                  std::to_string(run.origin) + " (" +
                  std::string(role_name(conversation.messages[message].role)) +
                  ") in a {% generation %} block, which is for the assistant's");
    }
    out.ranges.push_back(range);
  }
  return out;
}

}  // namespace

std::size_t end_of_words(const TracedText& text) {
  for (auto run = text.runs.rbegin(); run != text.runs.rend(); ++run) {
    if (run->origin > 0) return run->end;
  }
  return 0;
}

TrainedParts find_trained(const ChatTemplateParts& parts, const Conversation& conversation,
                          const Json& messages, const jinja::Rendering& whole) {
  if (!whole.generated.empty()) return trained_blocks(parts, conversation, whole);
  TrainedParts out;
  const TurnFinder finder(parts, conversation, messages, whole.text);
  for (std::size_t turn = 0; turn < messages.size(); ++turn) {
    if (conversation.messages[turn].role != Role::assistant) continue;
    try {
      const ByteRange range = finder.find(turn);
      if (range.begin < range.end) out.ranges.push_back(range);
    } catch (const Untrainable& reason) {
      if (++out.untrained_turns > 1) continue;
      out.untrained_because = "message " + std::to_string(turn + 1) + ": " + reason.because;
    }
  }
  return out;
}

}  // namespace plumb
