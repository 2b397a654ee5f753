#!/bin/sh
# Compares Plumb's tokenizers with Hugging Face's `tokenizers`, live, on many strings: ids with and without special
# tokens, offsets, decoded texts, and streamed decoding. For the tokenizers of ../shared/data/tokenizer, those that
# tests/oracle/make_tokenizer_zoo.py makes, and llama.cpp's cases. Ends with an error at the first disagreement.
#   scripts/compare_tokenizers.sh BUILD_FOLDER [STRINGS_A_TOKENIZER (100000)]
set -eu
build=${1:?give the build folder}
strings=${2:-100000}
round=25000
[ "$strings" -ge "$round" ] || round=$strings
seed=1
done=0
while [ "$done" -lt "$strings" ]; do
  PLUMB_TEXT_CASES=$round PLUMB_TEXT_SEED=$seed "$build/test_text" --gtest_brief=1 \
    --gtest_filter='*OfPackage.Fresh*:Zoo.Equal:Tokenizer.LlamaCppCases:EachPart.*'
  done=$((done + round))
  seed=$((seed + 1))
  echo "$done strings a tokenizer: equal"
done
