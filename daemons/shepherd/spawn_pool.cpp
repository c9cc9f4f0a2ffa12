// Shares the indexes of one batch among threads.
#include "shepherd/spawn_pool.hpp"

#include <algorithm>
#include <utility>

namespace librm::shepherd {

Result<std::unique_ptr<SpawnPool>> SpawnPool::make(std::size_t threads,
                                                   const rlimit& task_open_files) {
  std::vector<Spawner> spawners;
  for (std::size_t i = 0; i < threads; ++i) {
    Result<Spawner> spawner = Spawner::make(task_open_files);
    if (!spawner) return tl::unexpected<Error>(spawner.error());
    spawners.push_back(std::move(*spawner));
  }
  return std::unique_ptr<SpawnPool>(new SpawnPool(std::move(spawners)));
}

SpawnPool::SpawnPool(std::vector<Spawner> spawners) : spawners_(std::move(spawners)) {
  for (std::size_t i = 1; i < spawners_.size(); ++i) {
    helpers_.emplace_back([this, i] { help(spawners_[i]); });
  }
}

SpawnPool::~SpawnPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void SpawnPool::run(std::size_t count, const Job& job) {
  std::unique_lock lock(mutex_);
  job_ = &job;
  next_ = 0;
  count_ = count;
  // A single start is the common case, and nobody needs to wake up for it.
  const std::size_t helpers_wanted = std::min(helpers_.size(), count > 0 ? count - 1 : 0);
  for (std::size_t i = 0; i < helpers_wanted; ++i) wanted_.notify_one();
  work(lock, spawners_.front());
  done_.wait(lock, [this] { return busy_ == 0; });
}

void SpawnPool::work(std::unique_lock<std::mutex>& lock, Spawner& spawner) {
  while (next_ < count_) {
    const std::size_t index = next_++;
    lock.unlock();
    (*job_)(index, spawner);
    lock.lock();
  }
}

void SpawnPool::help(Spawner& spawner) {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || next_ < count_; });
    if (stopping_) return;
    ++busy_;
    work(lock, spawner);
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace librm::shepherd
