#include "core/text/jinja/value.h"

#include "core/text/jinja/callable.h"

namespace plumb::jinja {

namespace {

const char* sequence_name(SequenceType type) {
  switch (type) {
    case SequenceType::list:
      return "list";
    case SequenceType::tuple:
      return "tuple";
    case SequenceType::range:
      return "range";
    case SequenceType::keys:
      return "dict_keys";
    case SequenceType::values:
      return "dict_values";
    case SequenceType::items:
      return "dict_items";
    case SequenceType::generator:
      return "generator";
  }
  return "";
}

}  // namespace

std::string type_name(const Value& value) {
  switch (value.kind) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::string:
      return value.string->is_markup ? "Markup" : "str";
    case Kind::sequence:
      return sequence_name(value.sequence->type);
    case Kind::dict:
      return "dict";
    case Kind::name_space:
      return "TemplateNamespace";
    case Kind::callable:
      return value.callable->type;
    case Kind::loop:
      return "LoopContext";
  }
  return "";
}

bool is_true(const Value& value) {
  switch (value.kind) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
      return value.boolean;
    case Kind::integer:
      return value.integer != 0;
    case Kind::real:
      return value.real != 0;
    case Kind::string:
      return !value.string->bytes.empty();
    case Kind::sequence:
      return value.sequence->type == SequenceType::generator || !value.sequence->elements.empty();
    case Kind::dict:
      return !value.dict->entries.empty();
    case Kind::name_space:
    case Kind::callable:
    case Kind::loop:
      return true;
  }
  return false;
}

}  // namespace plumb::jinja
