// LIBRM_WIRE(Type, field...): makes a struct encodable in one line.
#pragma once

// Applies LIBRM_WIRE_FIELD to each argument; every EXPAND quadruples how many it can take (256).
#define LIBRM_WIRE_EXPAND(...) \
  LIBRM_WIRE_EXPAND_3(LIBRM_WIRE_EXPAND_3(LIBRM_WIRE_EXPAND_3(LIBRM_WIRE_EXPAND_3(__VA_ARGS__))))
#define LIBRM_WIRE_EXPAND_3(...) \
  LIBRM_WIRE_EXPAND_2(LIBRM_WIRE_EXPAND_2(LIBRM_WIRE_EXPAND_2(LIBRM_WIRE_EXPAND_2(__VA_ARGS__))))
#define LIBRM_WIRE_EXPAND_2(...) \
  LIBRM_WIRE_EXPAND_1(LIBRM_WIRE_EXPAND_1(LIBRM_WIRE_EXPAND_1(LIBRM_WIRE_EXPAND_1(__VA_ARGS__))))
#define LIBRM_WIRE_EXPAND_1(...) __VA_ARGS__
#define LIBRM_WIRE_PARENTHESES ()
#define LIBRM_WIRE_EACH(field, ...) \
  archive(value.field);             \
  __VA_OPT__(LIBRM_WIRE_EACH_AGAIN LIBRM_WIRE_PARENTHESES(__VA_ARGS__))
#define LIBRM_WIRE_EACH_AGAIN() LIBRM_WIRE_EACH

/// Defines `serialize(archive, Type&)`; to be used in the namespace of Type. The fields' order is
/// the encoding: never change it. A struct without fields encodes to nothing.
#define LIBRM_WIRE(Type, ...)                                                       \
  template <class Archive>                                                          \
  void serialize([[maybe_unused]] Archive& archive, [[maybe_unused]] Type& value) { \
    __VA_OPT__(LIBRM_WIRE_EXPAND(LIBRM_WIRE_EACH(__VA_ARGS__)))                     \
  }
