// The hostile kinds of chat template: a clear error, no crash, under a second of processor time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/jinja/template.h"
#include "tests/core/io/in_time.h"

namespace plumb {
namespace {

using testing::HasSubstr;

const Json& messages() {
  static const Json list = {{{"role", "user"}, {"content", "hi"}}};
  return list;
}

std::string refusal(const std::string& source) {
  return error_in_time([&] {
    jinja::Template::parse(source, "chat_template").render({{"messages", &messages()}});
  });
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// "" also where it is refused.
std::string rendering(const std::string& source) {
  std::string text;
  error_in_time([&] {
    const auto parsed = jinja::Template::parse(source, "chat_template");
    text = parsed.render({{"messages", &messages()}}).text.bytes;
  });
  return text;
}

// The place in the template, and the rule.
void expect_refused(const std::string& source, const std::string& rule) {
  const std::string said = refusal(source);
  EXPECT_THAT(said, HasSubstr("chat_template, line ")) << source.substr(0, 200);
  EXPECT_THAT(said, HasSubstr(rule)) << source.substr(0, 200);
}

TEST(HostileTemplate, T00_AGoodOneIsRendered) {
  EXPECT_EQ(refusal("{% for m in messages %}{{ m.role }}: {{ m['content'] }}{% endfor %}"), "");
}

TEST(HostileTemplate, T01_MacrosThatCallThemselves) {
  expect_refused("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "limit");
  expect_refused(
      "{% macro a(n) %}{{ b(n) }}{% endmacro %}{% macro b(n) %}{{ a(n + 1) }}{% endmacro %}"
      "{{ a(0) }}",
      "limit");
  expect_refused("{% set x = [[1]] %}{% for i in x recursive %}{{ loop(x) }}{% endfor %}", "limit");
}

TEST(HostileTemplate, T02_HundredThousandParentheses) {
  constexpr int kMany = 100'000;
  expect_refused("{{ " + std::string(kMany, '(') + "1" + std::string(kMany, ')') + " }}", "limit");
  expect_refused("{{ " + std::string(kMany, '[') + std::string(kMany, ']') + " }}", "limit");
  expect_refused("{{ " + repeated("not ", kMany) + "1 }}", "limit");
  expect_refused("{{ " + repeated("-", kMany) + "1 }}", "limit");
  expect_refused(repeated("{% if 1 %}", 10'000) + repeated("{% endif %}", 10'000), "limit");
}

// Chains that lean to the left need no brackets to be deep.
TEST(HostileTemplate, T02_LongChainsNeitherCrashNorHang) {
  for (const char* link :
       {" + 1", " ~ 1", " and 1", "|string", ".a", "[0]", "()", " if 1 else 2"}) {
    refusal("{{ messages" + repeated(link, 50'000) + " }}");
  }
}

TEST(HostileTemplate, T03_ARangeOfABillion) {
  expect_refused("{% for i in range(10**9) %}x{% endfor %}", "ange");
  expect_refused("{{ range(0, 10**18, 1) | list | length }}", "ange");
}

TEST(HostileTemplate, T04_RangesInRanges) {
  const std::string loop = "{% for i in range(99999) %}";
  expect_refused(loop + loop + loop + repeated("{% endfor %}", 3), "limit");
}

TEST(HostileTemplate, T05_ATextTenBillionTimes) {
  for (const char* source :
       {"{{ 'a' * 10**10 }}", "{{ 'a' * 9223372036854775807 }}", "{{ [0] * 10**10 }}",
        "{{ '%1000000000d' | format(1) }}", "{{ 'a' | center(10**10) }}",
        "{{ 'a'.center(10**10) }}", "{{ 'a'.ljust(10**10) }}", "{{ 'x' | indent(10**10) }}"}) {
    EXPECT_NE(refusal(source), "") << source;
  }
}

TEST(HostileTemplate, T06_ATextThatDoublesFortyTimes) {
  expect_refused(
      "{% set ns = namespace(s='aaaaaaaa') %}"
      "{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
      "limit");
  expect_refused(
      "{% set ns = namespace(s=[1]) %}"
      "{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}",
      "limit");
}

TEST(HostileTemplate, T07_InsidesOfObjects) {
  for (const char* source :
       {"{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.__init__.__globals__ }}",
        "{{ (1).__class__.__base__.__subclasses__() }}", "{{ messages['__class__'].x }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ namespace.__init__.__globals__ }}", "{{ self._TemplateReference__context }}"}) {
    EXPECT_NE(refusal(source), "") << source;
  }
}

TEST(HostileTemplate, T08_FormatsThatReachIn) {
  // What jinja2's sandbox hides is undefined there, and so prints as nothing.
  for (const char* source :
       {"{{ '{0.__class__.__mro__}'.format(messages) }}",
        "{{ '{m[0].__class__}'.format(m=messages) }}",
        "{{ ('{0.__class__}' | attr('format'))(messages) }}", "{{ '{:1000000000}'.format(1) }}"}) {
    EXPECT_EQ(rendering(source), "") << source;
  }
}

TEST(HostileTemplate, T09_OtherTemplates) {
  for (const char* source : {"{% include '/etc/passwd' %}", "{% import 'os' as os %}",
                             "{% extends 'base' %}", "{% from 'x' import y %}"}) {
    EXPECT_THAT(refusal(source), HasSubstr("chat_template, line 1")) << source;
  }
}

// What has crashed other engines: gpt4all's and llama.cpp's parsers.
TEST(HostileTemplate, T10_TextsThatCrashedOthers) {
  for (const std::string& source :
       {std::string("{%"),
        std::string("{{"),
        std::string("{#"),
        std::string("{% if %}"),
        std::string("{{ '"),
        std::string("{{ \"\\"),
        std::string("{{ a | }}"),
        std::string("{{ messages[ }}"),
        std::string("{% for %}{% endfor %}"),
        std::string("{% for a in %}"),
        std::string("{% set %}"),
        std::string("{% endfor %}"),
        std::string("{{ messages[0:1:0] }}"),
        std::string("{{ 1 // 0 }}"),
        std::string("{{ 1 % 0 }}"),
        std::string("{{ -9223372036854775808 // -1 }}"),

        std::string("{{ {}['a']['b'] }}"),

        std::string("{% macro %}"),
        std::string("{{ raise_exception() }}"),
        std::string("{{ messages[9223372036854775807].x }}"),
        std::string("{{ '\\x' }}"),

        std::string("{% raw %}"),
        std::string("{{ \0 }}", 7),
        std::string("{{ \xFF }}"),
        std::string("{% generation %}"),
        std::string("{{ 'a' | replace('', 'b' * 1000000) | replace('', 'c' * 1000000) }}")}) {
    EXPECT_NE(refusal(source), "") << source;
  }
}

// What jinja2 takes too: undefined, or a number.
TEST(HostileTemplate, T10_OddButHarmless) {
  EXPECT_EQ(rendering("{{ {1: 2}[[]] }}{{ 1.e }}"), "");
  EXPECT_EQ(rendering("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
}

TEST(HostileTemplate, ASourceOfTenMegabytes) {
  expect_refused(std::string(10'000'000, 'x'), "limit");
}

}  // namespace
}  // namespace plumb
