// The steps of layered drawing, one after the other; each is a function of what came before.
#include "graph_layout.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace batch::cli {

namespace {

constexpr int sweeps = 8;

struct Link {
  std::size_t from = 0;  ///< indices of placed nodes in neighbouring layers
  std::size_t to = 0;
  std::string kind;
  std::string state;
};

using Order = std::vector<std::vector<std::size_t>>;  ///< placed nodes of each layer, from above

/// The length of the longest path to each node; empty where there is a cycle.
std::optional<std::vector<std::size_t>> layers_of(const Graph& graph) {
  std::vector<std::size_t> layer(graph.nodes.size(), 0);
  std::vector<std::size_t> parents(graph.nodes.size(), 0);
  for (const GraphEdge& edge : graph.edges) ++parents[edge.to];
  std::vector<std::size_t> open;
  for (std::size_t n = 0; n < parents.size(); ++n) {
    if (parents[n] == 0) open.push_back(n);
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    for (const GraphEdge& edge : graph.edges) {
      if (edge.from != open[i]) continue;
      layer[edge.to] = std::max(layer[edge.to], layer[edge.from] + 1);
      if (--parents[edge.to] == 0) open.push_back(edge.to);
    }
  }
  if (open.size() != graph.nodes.size()) return std::nullopt;
  return layer;
}

/// Sources that stand before the layer that needs them are drawn next to it.
void pull_sources(const Graph& graph, std::vector<std::size_t>& layer) {
  for (std::size_t n = 0; n < layer.size(); ++n) {
    std::size_t nearest = SIZE_MAX;
    bool is_source = true;
    for (const GraphEdge& edge : graph.edges) {
      if (edge.to == n) is_source = false;
      if (edge.from == n) nearest = std::min(nearest, layer[edge.to]);
    }
    if (is_source && nearest != SIZE_MAX) layer[n] = nearest - 1;
  }
}

/// Long edges pass through places of their own; those of one source and kind share them.
std::vector<Link> cut_edges(const Graph& graph, std::vector<PlacedNode>& nodes) {
  std::vector<Link> links;
  std::set<std::tuple<std::size_t, std::size_t, std::string>> linked;
  std::map<std::tuple<std::size_t, std::size_t, std::string>, std::size_t> passing;
  for (const GraphEdge& edge : graph.edges) {
    std::size_t at = edge.from;
    for (std::size_t layer = nodes[at].layer + 1; layer < nodes[edge.to].layer; ++layer) {
      const auto key = std::tuple(edge.from, layer, edge.kind);
      const auto found = passing.find(key);
      std::size_t next = nodes.size();
      if (found != passing.end()) {
        next = found->second;
      } else {
        nodes.push_back({std::nullopt, layer, 0});
        passing.emplace(key, next);
        links.push_back({at, next, "ok", edge.state});
      }
      at = next;
    }
    if (linked.emplace(at, edge.to, edge.kind).second) {
      links.push_back({at, edge.to, edge.kind, edge.state});
    }
  }
  return links;
}

/// Of the neighbours' positions; a node without neighbours keeps its own.
double barycentre(std::size_t node, const std::vector<Link>& links, bool of_parents,
                  const std::vector<double>& position) {
  double sum = 0;
  std::size_t count = 0;
  for (const Link& link : links) {
    if ((of_parents ? link.to : link.from) != node) continue;
    sum += position[of_parents ? link.from : link.to];
    ++count;
  }
  return count == 0 ? position[node] : sum / static_cast<double>(count);
}

std::size_t crossings(const Order& order, const std::vector<Link>& links) {
  std::map<std::size_t, std::size_t> position;
  std::map<std::size_t, std::size_t> layer_of;
  for (std::size_t l = 0; l < order.size(); ++l) {
    for (std::size_t i = 0; i < order[l].size(); ++i) {
      position[order[l][i]] = i;
      layer_of[order[l][i]] = l;
    }
  }
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> by_layer(order.size());
  for (const Link& link : links) {
    by_layer[layer_of[link.from]].emplace_back(position[link.from], position[link.to]);
  }
  std::size_t count = 0;
  for (const auto& lines : by_layer) {
    for (std::size_t a = 0; a < lines.size(); ++a) {
      for (std::size_t b = a + 1; b < lines.size(); ++b) {
        const bool crossed =
            (lines[a].first < lines[b].first && lines[a].second > lines[b].second) ||
            (lines[a].first > lines[b].first && lines[a].second < lines[b].second);
        if (crossed) ++count;
      }
    }
  }
  return count;
}

/// Each layer's nodes by the barycentres of their neighbours, to and fro; the best is kept.
Order order_nodes(const std::vector<PlacedNode>& nodes, const std::vector<Link>& links,
                  std::size_t layers) {
  Order order(layers);
  for (std::size_t n = 0; n < nodes.size(); ++n) order[nodes[n].layer].push_back(n);
  Order best = order;
  std::size_t fewest = crossings(order, links);
  std::vector<double> position(nodes.size());
  for (int sweep = 0; sweep < sweeps && fewest > 0; ++sweep) {
    for (const auto& layer : order) {
      for (std::size_t i = 0; i < layer.size(); ++i) position[layer[i]] = static_cast<double>(i);
    }
    const bool down = sweep % 2 == 0;
    for (std::size_t step = 1; step < layers; ++step) {
      auto& layer = order[down ? step : layers - 1 - step];
      std::map<std::size_t, double> centre;
      for (const std::size_t n : layer) centre[n] = barycentre(n, links, down, position);
      std::stable_sort(layer.begin(), layer.end(),
                       [&](std::size_t a, std::size_t b) { return centre[a] < centre[b]; });
      for (std::size_t i = 0; i < layer.size(); ++i) position[layer[i]] = static_cast<double>(i);
    }
    const std::size_t count = crossings(order, links);
    if (count < fewest) {
      fewest = count;
      best = order;
    }
  }
  return best;
}

/// Sources that lead to the same targets in the same way are one bundle.
std::vector<std::vector<Bundle>> bundle(const std::vector<Link>& links, const Order& order) {
  const auto worse = [](const std::string& a, const std::string& b) {
    if (a == "unsatisfiable" || b == "unsatisfiable") return std::string("unsatisfiable");
    return a == "satisfied" ? b : a;
  };
  std::map<std::size_t, std::map<std::pair<std::size_t, std::string>, std::string>> targets;
  for (const Link& link : links) targets[link.from][{link.to, link.kind}] = link.state;
  std::vector<std::vector<Bundle>> channels(order.empty() ? 0 : order.size() - 1);
  for (std::size_t layer = 0; layer < channels.size(); ++layer) {
    std::map<std::vector<std::pair<std::size_t, std::string>>, std::size_t> known;
    for (const std::size_t source : order[layer]) {
      std::vector<std::pair<std::size_t, std::string>> where;
      for (const auto& [target, state] : targets[source]) where.push_back(target);
      if (where.empty()) continue;
      auto& all = channels[layer];
      const auto [at, is_new] = known.emplace(where, all.size());
      if (is_new) {
        all.emplace_back();
        for (const auto& [target, state] : targets[source]) {
          all.back().ports.push_back({target.first, 0, target.second, state});
        }
      }
      Bundle& own = all[at->second];
      own.sources.push_back(source);
      for (Bundle::Port& port : own.ports) {
        port.state = worse(port.state, targets[source][{port.target, port.kind}]);
      }
    }
  }
  return channels;
}

/// Positions as near as can be to `wanted` that keep the order, `height[i]` apart (pool adjacent
/// violators: Barlow and others, 1972).
std::vector<double> spread(const std::vector<double>& wanted, const std::vector<int>& height) {
  struct Pool {
    double sum = 0;
    std::size_t count = 0;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  std::vector<double> offset(wanted.size(), 0);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i > 0) offset[i] = offset[i - 1] + height[i - 1];
    pools.push_back({wanted[i] - offset[i], 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  std::vector<double> found;
  for (const Pool& pool : pools) {
    for (std::size_t i = 0; i < pool.count; ++i) {
      found.push_back(pool.mean() + offset[found.size()]);
    }
  }
  return found;
}

/// The ports of one node, by where their lines come from.
std::vector<std::pair<Bundle*, Bundle::Port*>> ports_of(std::size_t node,
                                                        std::vector<Bundle>& channel,
                                                        const std::vector<PlacedNode>& nodes) {
  std::vector<std::pair<Bundle*, Bundle::Port*>> ports;
  for (Bundle& one : channel) {
    for (Bundle::Port& port : one.ports) {
      if (port.target == node) ports.emplace_back(&one, &port);
    }
  }
  const auto from = [&](const Bundle* one) {
    double sum = 0;
    for (const std::size_t source : one->sources) sum += nodes[source].row;
    return sum / static_cast<double>(one->sources.size());
  };
  std::stable_sort(ports.begin(), ports.end(),
                   [&](const auto& a, const auto& b) { return from(a.first) < from(b.first); });
  return ports;
}

/// Gives the ports of a layer their rows, and each node that of its middle port. A port may not be
/// in the row of a source of another bundle, or their lines would run into each other.
void place_layer(const std::vector<std::size_t>& layer, const std::vector<double>& wanted,
                 std::vector<Bundle>& channel, std::vector<PlacedNode>& nodes) {
  std::map<int, const Bundle*> sources;
  for (const Bundle& one : channel) {
    for (const std::size_t source : one.sources) sources[nodes[source].row] = &one;
  }
  std::vector<int> height;
  std::vector<double> tops;
  for (const std::size_t node : layer) {
    height.push_back(std::max<int>(1, static_cast<int>(ports_of(node, channel, nodes).size())));
    tops.push_back(wanted[node] - (height.back() - 1) / 2.0);
  }
  tops = spread(tops, height);
  int next = INT32_MIN;
  for (std::size_t i = 0; i < layer.size(); ++i) {
    const auto ports = ports_of(layer[i], channel, nodes);
    // Rounded so that halves go up, whatever their sign.
    next = std::max(next, static_cast<int>(std::floor(tops[i] + 0.499)));
    nodes[layer[i]].row = next;
    for (std::size_t p = 0; p < ports.size(); ++p) {
      for (auto at = sources.find(next); at != sources.end() && at->second != ports[p].first;
           at = sources.find(next)) {
        ++next;
      }
      ports[p].second->row = next;
      if (p == (ports.size() - 1) / 2) nodes[layer[i]].row = next;
      ++next;
    }
    if (ports.empty()) ++next;
  }
}

/// Rows from left to right, twice: first each node in the middle of its parents, to learn where
/// children come to lie, then each in the middle of its children.
void place_rows(GraphLayout& layout, const Order& order, const std::vector<Link>& links) {
  std::vector<Bundle> none;
  const auto place = [&](std::size_t l, const std::vector<double>& wanted) {
    place_layer(order[l], wanted, l == 0 ? none : layout.channels[l - 1], layout.nodes);
  };
  std::vector<double> wanted(layout.nodes.size(), 0);
  for (const auto& layer : order) {
    for (std::size_t i = 0; i < layer.size(); ++i) wanted[layer[i]] = static_cast<double>(i);
  }
  for (std::size_t l = 0; l < order.size(); ++l) {
    for (const std::size_t node : order[l]) {
      if (l > 0) wanted[node] = barycentre(node, links, true, wanted);
    }
    place(l, wanted);
    for (const std::size_t node : order[l]) wanted[node] = layout.nodes[node].row;
  }
  for (std::size_t l = order.size() - 1; l-- > 0;) {
    for (const std::size_t node : order[l]) wanted[node] = barycentre(node, links, false, wanted);
  }
  for (std::size_t l = 0; l < order.size(); ++l) place(l, wanted);
}

/// Columns for what is vertical: as few as can be without two in one place.
std::size_t choose_tracks(std::vector<Bundle>& channel, const std::vector<PlacedNode>& nodes) {
  std::vector<std::pair<std::pair<int, int>, Bundle*>> spans;
  for (Bundle& one : channel) {
    int low = INT32_MAX;
    int high = INT32_MIN;
    const auto reach = [&](int row) {
      low = std::min(low, row);
      high = std::max(high, row);
    };
    for (const std::size_t source : one.sources) reach(nodes[source].row);
    for (const Bundle::Port& port : one.ports) reach(port.row);
    if (low != high) spans.push_back({{low, high}, &one});
  }
  std::stable_sort(spans.begin(), spans.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<int> ends;  // of each track, the lowest row in use
  for (const auto& [span, one] : spans) {
    const int low = span.first;
    const auto free = std::find_if(ends.begin(), ends.end(), [&](int end) { return end < low; });
    one->track = static_cast<std::size_t>(free - ends.begin());
    if (free == ends.end()) {
      ends.push_back(span.second);
    } else {
      *free = span.second;
    }
  }
  return ends.size();
}

/// So that the first row is 0.
void shift_rows(GraphLayout& layout) {
  int low = INT32_MAX;
  int high = INT32_MIN;
  for (const PlacedNode& node : layout.nodes) {
    low = std::min(low, node.row);
    high = std::max(high, node.row);
  }
  for (auto& channel : layout.channels) {
    for (Bundle& one : channel) {
      for (Bundle::Port& port : one.ports) {
        low = std::min(low, port.row);
        high = std::max(high, port.row);
      }
    }
  }
  for (PlacedNode& node : layout.nodes) node.row -= low;
  for (auto& channel : layout.channels) {
    for (Bundle& one : channel) {
      for (Bundle::Port& port : one.ports) port.row -= low;
    }
  }
  layout.rows = high - low + 1;
}

}  // namespace

std::vector<Graph> components(const Graph& graph) {
  std::vector<std::size_t> root(graph.nodes.size());
  std::iota(root.begin(), root.end(), std::size_t{0});
  const auto find = [&](std::size_t n) {
    while (root[n] != n) n = root[n] = root[root[n]];
    return n;
  };
  for (const GraphEdge& edge : graph.edges) {
    const std::size_t a = find(edge.from);
    const std::size_t b = find(edge.to);
    root[std::max(a, b)] = std::min(a, b);
  }
  std::map<std::size_t, Graph> parts;
  std::vector<std::size_t> index(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Graph& part = parts[find(n)];
    index[n] = part.nodes.size();
    part.nodes.push_back(graph.nodes[n]);
  }
  for (const GraphEdge& edge : graph.edges) {
    parts[find(edge.from)].edges.push_back(
        {index[edge.from], index[edge.to], edge.kind, edge.state});
  }
  std::vector<Graph> all;
  for (auto& [first, part] : parts) all.push_back(std::move(part));
  return all;
}

std::optional<GraphLayout> lay_out(const Graph& graph, std::size_t places_max) {
  if (graph.nodes.empty() || graph.nodes.size() > places_max) return std::nullopt;
  auto layer = layers_of(graph);
  if (!layer) return std::nullopt;
  pull_sources(graph, *layer);
  GraphLayout layout;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    layout.nodes.push_back({n, (*layer)[n], 0});
    layout.layers = std::max(layout.layers, (*layer)[n] + 1);
  }
  const std::vector<Link> links = cut_edges(graph, layout.nodes);
  if (layout.nodes.size() > places_max) return std::nullopt;
  const Order order = order_nodes(layout.nodes, links, layout.layers);
  layout.channels = bundle(links, order);
  place_rows(layout, order, links);
  for (auto& channel : layout.channels) {
    layout.tracks.push_back(choose_tracks(channel, layout.nodes));
  }
  shift_rows(layout);
  return layout;
}

}  // namespace batch::cli
