// Reserving and volumes: what may be changed into what, and that nothing is lost on the way.
#include "librm/resource/operation.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "generate.hpp"

namespace librm {
namespace {

Resources resources(std::string_view text) { return Resources::parse(text).value(); }

/// The layer of `text`, such as `eng@alice{tier=gold}`.
Reservation layer(const std::string& text) {
  return resources("x(+" + text + "):1").list()[0].reservations[0];
}

Operation reserve(std::string_view what, const std::string& text) {
  return {OperationKind::reserve, resources(what), layer(text), {}};
}
Operation unreserve(std::string_view what, const std::string& text) {
  return {OperationKind::unreserve, resources(what), layer(text), {}};
}
Operation create(std::string_view what, Volume volume) {
  return {OperationKind::create_volume, resources(what), {}, std::move(volume)};
}
Operation destroy(std::string_view what, Volume volume) {
  return {OperationKind::destroy_volume, resources(what), {}, std::move(volume)};
}

std::string after(const Operation& operation, std::string_view total) {
  const auto result = apply(operation, resources(total));
  return result ? to_string(*result) : "error: " + result.error().message;
}

TEST(Reserve, PushesADynamicLayer) {
  EXPECT_EQ(after(reserve("cpus:2;ports:[5-6]", "eng@alice"), "cpus:8;ports:[1-9]"),
            "cpus:6;cpus(+eng@alice):2;ports:[1-4,7-9];ports(+eng@alice):[5-6]");
  EXPECT_EQ(after(reserve("cpus(eng):2", "eng/db"), "cpus(eng):8"),
            "cpus(eng):6;cpus(eng>+eng/db):2");
  EXPECT_EQ(after(reserve("cpus:1", "eng"), "cpus:2;cpus(+eng):1;cpus(+eng@al):1"),
            "cpus:1;cpus(+eng):2;cpus(+eng@al):1");
}

std::string again(std::string_view reported, std::string_view made, std::string_view held = "") {
  const Restored restored = restore(resources(reported), resources(made), resources(held));
  return to_string(restored.total) +
         (restored.missing.empty() ? "" : " without " + to_string(restored.missing));
}

TEST(Restore, MakesAgainWhatOperationsMade) {
  EXPECT_EQ(again("cpus:8;disk(eng):10", "cpus(+eng):2;disk(eng>+eng/db)[v]:4"),
            "cpus:6;cpus(+eng):2;disk(eng):6;disk(eng>+eng/db)[v]:4");
  EXPECT_EQ(again("ports:[1-9];disks:{a,b}", "ports(+eng):[2-3];disks(+eng):{b}"),
            "disks:{a};disks(+eng):{b};ports:[1-1,4-9];ports(+eng):[2-3]");
  EXPECT_EQ(again("cpus:6;cpus(+eng):2", "cpus(+eng):2"), "cpus:6;cpus(+eng):2")
      << "the agent says so itself";
}

TEST(Restore, KeepsWhatIsThereAndVolumesWholeOrNotAtAll) {
  EXPECT_EQ(again("cpus:3", "cpus(+eng):4"), "cpus(+eng):3 without cpus(+eng):1");
  EXPECT_EQ(again("ports:[1-2]", "ports(+eng):[2-3]"),
            "ports:[1-1];ports(+eng):[2-2] without ports(+eng):[3-3]");
  EXPECT_EQ(again("disk:9", "disk(+eng):2;disk(+eng)[v]:8"),
            "disk(+eng):1;disk(+eng)[v]:8 without disk(+eng):1");
  EXPECT_EQ(again("disk:7", "disk(+eng)[v]:8"), "disk:7 without disk(+eng)[v]:8");
  EXPECT_EQ(again("cpus:7", "gpus(+eng):1"), "cpus:7 without gpus(+eng):1");
}

TEST(Restore, TakesNothingFromTasks) {
  EXPECT_EQ(again("cpus:8", "cpus(+eng):4", "cpus:6"), "cpus:6;cpus(+eng):2 without cpus(+eng):2");
  EXPECT_EQ(again("cpus:8", "cpus(+eng):4", "cpus:4;cpus(+eng):4"), "cpus:4;cpus(+eng):4");
}

TEST(AsStarted, CountsASharedVolumeOnce) {
  EXPECT_EQ(to_string(as_started(resources(
                "cpus:1;cpus(+eng):2;disk(eng>+eng/db)[v]:4;disk(eng)[s&]:3;disk(eng)[s&]:3"))),
            "cpus:3;disk(eng):7");
}

TEST(Reserve, CountsAsDynamicWhateverItSays) {
  Operation operation = reserve("cpus:2", "eng");
  operation.reservation.dynamic = false;
  EXPECT_EQ(after(operation, "cpus:2"), "cpus(+eng):2");
}

TEST(Reserve, IsForARoleBelowTheOwner) {
  EXPECT_EQ(after(reserve("cpus(eng):2", "engine"), "cpus(eng):8"),
            "error: reserve cpus(eng): role 'engine' is not below 'eng'");
  EXPECT_EQ(after(reserve("cpus(eng):2", "eng"), "cpus(eng):8"),
            "error: reserve cpus(eng): role 'eng' is not below 'eng'");
  Operation star = reserve("cpus:2", "eng");
  star.reservation.role = "*";
  EXPECT_EQ(after(star, "cpus:2"), "error: reserve cpus: role '*' cannot be reserved for");
}

TEST(Reserve, LeavesVolumesAndRevocableOnes) {
  EXPECT_EQ(after(reserve("cpus{revocable}:2", "eng"), "cpus{revocable}:2"),
            "error: reserve cpus{revocable}: revocable resources stay what they are");
  EXPECT_EQ(after(reserve("disk(eng)[a]:2", "eng/db"), "disk(eng)[a]:2"),
            "error: reserve disk(eng)[a]: a volume keeps its reservation");
}

TEST(Reserve, SaysWhatIsMissing) {
  EXPECT_EQ(after(reserve("cpus:4", "eng"), "cpus:2;cpus(eng):9"),
            "error: reserve: cpus: need 4, free 2");
  EXPECT_EQ(after(reserve("ports:[1-9]", "eng"), "ports:[2-4]"),
            "error: reserve: ports: need 9, free 3");
  EXPECT_EQ(apply(reserve("cpus:4", "eng"), {}).error().code, ErrorCode::resource_exhausted);
  EXPECT_EQ(after(Operation{}, "cpus:1"), "error: reserve: names no resources");
}

TEST(Unreserve, PopsOneLayer) {
  EXPECT_EQ(after(unreserve("cpus(eng>+eng/db@al):1", "eng/db@al"), "cpus(eng>+eng/db@al):3"),
            "cpus(eng):1;cpus(eng>+eng/db@al):2");
  EXPECT_EQ(after(unreserve("cpus(+eng):3", "eng"), "cpus:1;cpus(+eng):3"), "cpus:4");
}

TEST(Unreserve, NeedsTheSameLayer) {
  EXPECT_EQ(after(unreserve("cpus(+eng@al{t=a}):1", "eng@al{t=b}"), "cpus(+eng@al{t=a}):1"),
            "error: unreserve cpus(+eng@al{t=a}): is reserved as +eng@al{t=a}, not as "
            "+eng@al{t=b}");
  EXPECT_EQ(after(unreserve("cpus(eng):1", "eng"), "cpus(eng):1"),
            "error: unreserve cpus(eng): is reserved statically, which only the agent's start "
            "changes");
  EXPECT_EQ(after(unreserve("cpus:1", "eng"), "cpus:1"), "error: unreserve cpus: is not reserved");
  EXPECT_EQ(after(unreserve("disk(+eng)[a]:1", "eng"), "disk(+eng)[a]:1"),
            "error: unreserve disk(+eng)[a]: destroy the volume first");
}

TEST(CreateVolume, IsMadeOfReservedDisk) {
  EXPECT_EQ(after(create("disk(eng):4", {"db1", true, "al"}), "disk(eng):9"),
            "disk(eng):5;disk(eng)[db1&@al]:4");
  EXPECT_EQ(after(create("disks(eng):{sda}", {"a", false, ""}), "disks(eng):{sda,sdb}"),
            "disks(eng):{sdb};disks(eng)[a]:{sda}");
  EXPECT_EQ(after(create("disk:4", {"a", false, ""}), "disk:9"),
            "error: create_volume disk: a volume needs reserved disk");
  EXPECT_EQ(after(create("mem(eng):4", {"a", false, ""}), "mem(eng):9"),
            "error: create_volume mem(eng): only disk and disks can hold a volume");
  EXPECT_EQ(after(create("disk(eng):4", {}), "disk(eng):9"),
            "error: create_volume disk(eng): a volume needs an id");
  EXPECT_EQ(after(create("disk(a):1;disk(b):1", {"a", false, ""}), "disk(a):1;disk(b):1"),
            "error: create_volume: need one entry, got 2: disk(a):1;disk(b):1");
}

TEST(CreateVolume, IdsAreOfOneVolumeEach) {
  EXPECT_EQ(after(create("disk(eng):4", {"db1", false, ""}), "disk(eng):9;disk(dev)[db1]:2"),
            "error: create_volume: volume db1 exists");
}

TEST(DestroyVolume, NeedsTheWholeVolumeAsItWasMade) {
  EXPECT_EQ(after(destroy("disk(eng)[a]:4", {"a", false, ""}), "disk(eng):1;disk(eng)[a]:4"),
            "disk(eng):5");
  EXPECT_EQ(after(destroy("disk(eng)[a]:3", {"a", false, ""}), "disk(eng)[a]:4"),
            "error: destroy_volume: disk(eng)[a]: need 3, free 0");
  EXPECT_EQ(after(destroy("disk(eng)[a]:4", {"a", true, ""}), "disk(eng)[a]:4"),
            "error: destroy_volume disk(eng)[a]: is not volume a as it was made");
  EXPECT_EQ(after(destroy("disk(eng):4", {"a", false, ""}), "disk(eng):4"),
            "error: destroy_volume disk(eng): is not a volume");
}

TEST(Operations, AreRefusedWhereTheResultCouldNotBeUndone) {
  EXPECT_EQ(after(reserve("ports:[1-3]", "eng"), "ports:[1-3];ports(+eng):[2-2]"),
            "error: reserve: ports(+eng):[1-3] would be lost in what is there");
  EXPECT_EQ(after(reserve("cpus:5", "eng"), "cpus:5;cpus(+eng):1000000000000"),
            "error: reserve: cpus(+eng):5 would be lost in what is there");
}

TEST(Operations, AreShownInALine) {
  EXPECT_EQ(to_string(reserve("cpus:2", "eng@al")), "reserve cpus:2 for +eng@al");
  EXPECT_EQ(to_string(create("disk(eng):1", {"db1", false, ""})),
            "create_volume db1 of disk(eng):1");
}

Operation random_operation(Prng& random, const Resources& total) {
  Operation operation;
  operation.kind = static_cast<OperationKind>(random.below(4));
  operation.volume = {"v" + std::to_string(random.below(3)), random.chance(1, 2), ""};
  operation.reservation = layer(random.chance(1, 2) ? "eng/a" : "prod/a/b/c@x");
  const Resources part = test::random_part(random, total);
  for (const Resource& entry : part.list()) {
    if (entry.volume && random.chance(4, 5)) operation.volume = *entry.volume;
    if (!entry.reservations.empty() && operation.kind == OperationKind::unreserve) {
      operation.reservation = entry.reservations.back();
    }
    const bool wanted = operation.resources.empty() || random.chance(1, 8);
    if (wanted && random.chance(1, 2)) operation.resources.add(entry);
  }
  return operation;
}

/// Two volumes of one id, which no agent has.
bool has_twins(const Resources& total) {
  std::set<std::string> ids;
  for (const Resource& entry : total.list()) {
    if (entry.volume && !ids.insert(entry.volume->id).second) return true;
  }
  return false;
}

TEST(Operations, LoseNothingAndCanBeUndone) {
  Prng random(31);
  int done[4] = {};
  for (int i = 0; i < 40'000; ++i) {
    const Resources total = test::random_resources(random);
    const Operation operation = random_operation(random, total);
    const auto changed = apply(operation, total);
    if (!changed || has_twins(total)) continue;
    ++done[static_cast<int>(operation.kind)];
    ASSERT_NE(*changed, total);
    ASSERT_EQ(changed->unreserved(), total.unreserved()) << to_string(operation);
    for (const char* name : {"cpus", "disk", "disks", "mem", "ports"}) {
      ASSERT_EQ(changed->amount(name), total.amount(name)) << to_string(operation);
    }
    const auto back = apply(inverse(operation).value(), *changed);
    ASSERT_TRUE(back) << to_string(operation) << ": " << back.error().message;
    ASSERT_EQ(*back, total) << to_string(operation);
    ASSERT_EQ(Resources::parse(to_string(*changed)).value(), *changed);
  }
  for (const int count : done) EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace librm
