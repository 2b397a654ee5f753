#include "core/hub/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/hub/digest.h"
#include "core/hub/settings.h"
#include "core/hub/url.h"
#include "tests/core/io/temp_folder.h"

namespace plumb::hub {
namespace {

using testing::HasSubstr;

TEST(Reference, NameAndRevision) {
  EXPECT_TRUE(is_reference("hf:owner/name"));
  EXPECT_FALSE(is_reference("models/hf:x"));
  EXPECT_FALSE(is_reference("/hf"));
  EXPECT_EQ(parse_reference("hf:owner/name").text(), "hf:owner/name@main");
  EXPECT_EQ(parse_reference("hf:gpt2").repo, "gpt2");
  const Reference reference = parse_reference("hf:Qwen/Qwen2.5-0.5B_x@refs/pr/3");
  EXPECT_EQ(reference.repo, "Qwen/Qwen2.5-0.5B_x");
  EXPECT_EQ(reference.revision, "refs/pr/3");
}

TEST(Reference, WhatIsNoneSaysWhy) {
  for (const std::string& text :
       {std::string("hf:"), std::string("hf:/name"), std::string("hf:owner/"),
        std::string("hf:a/b/c"), std::string("hf:own er/name"), std::string("hf:../name"),
        std::string("hf:a--b/c"), std::string("hf:a/b.git"), std::string("hf:-a/b"),
        std::string("hf:a/.b"), std::string("hf:a/b@"), std::string("hf:a/b@../../x"),
        std::string("hf:a/b@/x"), std::string("hf:a/b@x\n"), std::string("hf://a/b"),
        "hf:a/" + std::string(100, 'b')}) {
    EXPECT_THAT(error_of([&] { parse_reference(text); }), HasSubstr("hf:owner/name@revision"))
        << text;
  }
}

TEST(Url, OriginsAndEscapes) {
  EXPECT_TRUE(is_same_origin("https://a.co/x", "https://A.co:443/y?z"));
  EXPECT_FALSE(is_same_origin("https://a.co/x", "http://a.co/x"));
  EXPECT_FALSE(is_same_origin("https://a.co/x", "https://a.co:444/x"));
  EXPECT_FALSE(is_same_origin("https://a.co/x", "https://a.co.evil.org/x"));
  EXPECT_FALSE(is_same_origin("https://a.co/x", "https://a.co@evil.org/x"));
  EXPECT_EQ(escape_path("a b/c%?#"), "a%20b/c%25%3F%23");
  EXPECT_EQ(escape_component("refs/pr/1"), "refs%2Fpr%2F1");
  EXPECT_EQ(redirected("https://a.co/x/y?q", "/z"), "https://a.co/z");
  EXPECT_EQ(redirected("https://a.co/x/y?q", "//b.co/z"), "https://b.co/z");
  EXPECT_THAT(error_of([] { redirected("https://a.co/x", "http://a.co/x"); }),
              HasSubstr("from https to http"));
}

// The vectors of FIPS 180 and what `git hash-object` says.
TEST(Digest, OfFiles) {
  const TempFolder folder;
  const std::string abc = folder.put("abc", "abc"), none = folder.put("none", "");
  EXPECT_EQ(digest_of_file(abc, DigestKind::sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of_file(none, DigestKind::sha256),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of_file(none, DigestKind::git_blob), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(digest_of_file(folder.put("hello", "hello\n"), DigestKind::git_blob),
            "ce013625030ba8dba906f756967f9e9ca394464a");
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(digest_of_file(folder.put("million", million), DigestKind::sha256),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Digest, FromEtags) {
  const std::string sha1(40, 'a'), sha256(64, 'b');
  EXPECT_EQ(digest_from_etag("\"" + sha1 + "\"").hex, sha1);
  EXPECT_EQ(digest_from_etag("W/\"" + sha256 + "\"").kind, DigestKind::sha256);
  EXPECT_EQ(digest_from_etag(sha256 + "-7").hex, "");
  EXPECT_EQ(digest_from_etag("\"../../x\"").hex, "");
}

class Environment {
 public:
  void set(const char* name, const std::string& value) {
    names_.push_back(name);
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    for (const char* name : names_) ::unsetenv(name);
  }

 private:
  std::vector<const char*> names_;
};

TEST(Settings, AsHuggingfaceHubReadsThem) {
  for (const char* name : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN",
                           "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT",
                           "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME"}) {
    ::unsetenv(name);
  }
  const TempFolder home;
  Environment environment;
  environment.set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(settings_from_environment().cache, "/xdg/huggingface/hub");
  environment.set("HF_HOME", home.path());
  EXPECT_EQ(settings_from_environment().cache, home.path() + "/hub");
  EXPECT_EQ(settings_from_environment().endpoint, "https://huggingface.co");
  EXPECT_EQ(settings_from_environment().token, "");
  home.put("token", "hf_file\n");
  EXPECT_EQ(settings_from_environment().token, "hf_file");
  environment.set("HF_TOKEN", " hf_given ");
  EXPECT_EQ(settings_from_environment().token, "hf_given");
  environment.set("HF_HUB_CACHE", "/elsewhere");
  EXPECT_EQ(settings_from_environment().cache, "/elsewhere");
  environment.set("HF_ENDPOINT", "http://mirror:8080/");
  EXPECT_EQ(settings_from_environment().endpoint, "http://mirror:8080");
  EXPECT_FALSE(settings_from_environment().is_offline);
  environment.set("TRANSFORMERS_OFFLINE", "yes");
  EXPECT_TRUE(settings_from_environment().is_offline);
  environment.set("HF_TOKEN", "hf_a\r\nX-Evil: 1");
  EXPECT_THAT(error_of(settings_from_environment), HasSubstr("HF_TOKEN"));
  environment.set("HF_TOKEN", "hf_a");
  environment.set("HF_ENDPOINT", "mirror");
  EXPECT_THAT(error_of(settings_from_environment), HasSubstr("HF_ENDPOINT=mirror"));
}

}  // namespace
}  // namespace plumb::hub
