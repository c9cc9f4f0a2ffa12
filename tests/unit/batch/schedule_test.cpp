// Which job gets which offer, and what the master is told of the others.
#include "harness.hpp"

namespace batch::test {
namespace {

using Names = std::vector<std::string>;

TEST(Scheduling, TheLaunchIsRecordedBeforeTheAcceptance) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("b")}).has_value());
  bench.offer(1, "cpus:8;mem:8192");
  std::ptrdiff_t recorded = -1;
  std::ptrdiff_t accepted = -1;
  for (std::size_t i = 0; i < bench.actions.items().size(); ++i) {
    const auto& item = bench.actions.items()[i];
    if (const auto* record = std::get_if<0>(&item)) {
      if (const auto* launch = std::get_if<LaunchRecord>(record)) {
        EXPECT_EQ(launch->launches.size(), 2u) << "one record for all of a flush";
        recorded = static_cast<std::ptrdiff_t>(i);
      }
    } else if (const auto* session = std::get_if<SessionOutput>(&std::get<1>(item))) {
      const auto* send = std::get_if<librm::Send>(&session->output);
      if (send != nullptr && std::holds_alternative<librm::AcceptOffers>(send->message)) {
        accepted = static_cast<std::ptrdiff_t>(i);
      }
    }
  }
  EXPECT_GE(recorded, 0);
  EXPECT_GT(accepted, recorded);
  EXPECT_EQ(bench.sent<librm::AcceptOffers>().size(), 1u);
  EXPECT_EQ(bench.launched(), (Names{"1.1.1", "2.1.1"}));
}

TEST(Scheduling, PriorityThenAge) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("old"), job("young"), job("urgent").priority(5)}).has_value());
  bench.offer(1, "cpus:2;mem:8192");
  EXPECT_EQ(bench.launched(), (Names{"3.1.1", "1.1.1"}));
}

TEST(Scheduling, ASmallJobPassesOneThatDoesNotFit) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("big").cpus(6), job("small")}).has_value());
  bench.offer(1, "cpus:2;mem:8192");
  EXPECT_EQ(bench.launched(), Names{"2.1.1"});
}

TEST(Scheduling, TheTaskCarriesWhatTheJobAsksFor) {
  Bench bench = connected();
  JobSpec spec = job("a").cpus(2).mem(512).amount("ports", 2).time_limit(librm::seconds(60));
  spec.lost = LostPolicy::fence;
  spec.labels["k"] = "v";
  ASSERT_TRUE(bench.submit({spec}).has_value());
  bench.offer(1, "cpus:8;mem:8192;ports:[31000-31009]");
  const librm::TaskInfo task = bench.sent<librm::AcceptOffers>().at(0).tasks.at(0);
  EXPECT_EQ(task.resources, resources("cpus:2;mem:512;ports:[31000-31001]"));
  EXPECT_EQ(task.time_limit, librm::seconds(60));
  EXPECT_EQ(task.fence_after, librm::seconds(60)) << "the default where none is given";
  EXPECT_EQ(task.labels.at("k"), "v");
  EXPECT_EQ(task.command.value, "true");
  const Attempt& attempt = bench.core->find(1)->attempts.at(0);
  EXPECT_EQ(attempt.incarnation, librm::Incarnation{101});
  EXPECT_EQ(attempt.hostname, "host-1");
}

TEST(Scheduling, OffersOfOneAgentAreUsedTogether) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a").cpus(4)}).has_value());
  librm::OfferInfo offer;
  offer.agent = {1};
  offer.incarnation = {101};
  offer.role = "*";
  offer.resources = resources("cpus:2;mem:1024");
  offer.lease = librm::seconds(30);
  librm::Offers offers{{offer, offer}};
  offers.offers[0].id = {11};
  offers.offers[1].id = {12};
  bench.message(offers);
  bench.flush();
  ASSERT_EQ(bench.launched(), Names{"1.1.1"});
  EXPECT_EQ(bench.sent<librm::AcceptOffers>().at(0).offers.size(), 2u);
}

TEST(Scheduling, ConstraintsMustBeEqual) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a").constraint("rack", "r1")}).has_value());
  bench.offer(1, "cpus:8;mem:8192", {{"rack", "r2"}});
  EXPECT_TRUE(bench.launched().empty());
  EXPECT_EQ(bench.sent<librm::DeclineOffers>().at(0).reason,
            "nothing waiting fits: job 1 needs rack r1, has r2");
  bench.offer(1, "cpus:8;mem:8192", {{"rack", "r1"}});
  EXPECT_EQ(bench.launched(), Names{"1.1.1"});
}

TEST(Scheduling, DeclinesWithTheReason) {
  Bench bench = connected();
  bench.offer(1, "cpus:2;mem:1024");
  EXPECT_EQ(bench.sent<librm::DeclineOffers>().at(0).reason, "no waiting job");
  ASSERT_TRUE(bench.submit({job("a").mem(4096)}).has_value());
  bench.offer(1, "cpus:2;mem:1024");
  const auto decline = bench.sent<librm::DeclineOffers>().at(0);
  EXPECT_EQ(decline.reason, "nothing waiting fits: job 1 needs mem 4096, free 1024");
  EXPECT_EQ(decline.refuse_for, librm::seconds(3600));
}

TEST(Scheduling, OffersAreSuppressedWhileNothingWaitsAndRevivedOnce) {
  Bench bench;
  bench.connect();
  bench.flush();
  EXPECT_EQ(bench.sent<librm::SuppressOffers>().size(), 1u);
  bench.flush();
  EXPECT_EQ(bench.sent<librm::SuppressOffers>().size(), 1u);
  ASSERT_TRUE(bench.submit({job("a"), job("b")}).has_value());
  EXPECT_EQ(bench.sent<librm::ReviveOffers>().size(), 1u);
  bench.actions.clear();
  ASSERT_TRUE(bench.submit({job("c")}).has_value());
  EXPECT_TRUE(bench.sent<librm::ReviveOffers>().empty()) << "offers are wanted already";
}

TEST(Scheduling, WhatWasRefusedForOthersIsAskedForAgain) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("big").mem(8000)}).has_value());
  bench.offer(1, "cpus:2;mem:1024");
  ASSERT_EQ(bench.sent<librm::DeclineOffers>().size(), 1u);
  bench.actions.clear();
  ASSERT_TRUE(bench.submit({job("big2").mem(8000)}).has_value());
  EXPECT_TRUE(bench.sent<librm::ReviveOffers>().empty()) << "its like was looked at";
  ASSERT_TRUE(bench.submit({job("small")}).has_value());
  EXPECT_EQ(bench.sent<librm::ReviveOffers>().size(), 1u);
}

TEST(Scheduling, PlannedMaintenanceIsNotRunInto) {
  Bench bench = connected();
  ASSERT_TRUE(bench
                  .submit({job("long").time_limit(librm::seconds(3600)),
                           job("short").time_limit(librm::seconds(60))})
                  .has_value());
  librm::OfferInfo offer;
  offer.id = {50};
  offer.agent = {1};
  offer.role = "*";
  offer.resources = resources("cpus:8;mem:8192");
  offer.lease = librm::seconds(30);
  offer.available_until = bench.clock.wall + librm::seconds(600);
  bench.message(librm::Offers{{offer}});
  bench.flush();
  EXPECT_EQ(bench.launched(), Names{"2.1.1"});
}

TEST(Scheduling, OneFlushFillsManyAgents) {
  Bench bench = connected();
  std::vector<JobSpec> jobs;
  for (int i = 0; i < 40; ++i) jobs.push_back(job("j" + std::to_string(i)));
  ASSERT_TRUE(bench.submit(jobs).has_value());
  librm::Offers offers;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    librm::OfferInfo offer;
    offer.id = {i};
    offer.agent = {i};
    offer.role = "*";
    offer.resources = resources("cpus:4;mem:8192");
    offer.lease = librm::seconds(30);
    offers.offers.push_back(offer);
  }
  bench.actions.clear();
  bench.message(offers);
  bench.flush();
  EXPECT_EQ(bench.launched().size(), 40u);
  EXPECT_EQ(bench.sent<librm::AcceptOffers>().size(), 10u);
  EXPECT_EQ(bench.outputs<JobChanged>().size(), 40u);
}

}  // namespace
}  // namespace batch::test
