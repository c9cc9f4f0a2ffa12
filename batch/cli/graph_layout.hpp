// Where the nodes and lines of a dependency graph go: layers from left to right, rows from above.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace batch::cli {

struct GraphNode {
  std::string id;
  std::string label;  ///< escaped; may be painted
};

struct GraphEdge {
  std::size_t from = 0;  ///< index of a node
  std::size_t to = 0;
  std::string kind = "ok";
  std::string state;
};

struct Graph {
  std::vector<GraphNode> nodes;
  std::vector<GraphEdge> edges;
};

/// The parts that nothing connects, each with its nodes in the order of the whole graph.
std::vector<Graph> components(const Graph& graph);

/// A node, or a place where a long line passes through a layer.
struct PlacedNode {
  std::optional<std::size_t> node;
  std::size_t layer = 0;
  int row = 0;
};

/// A bundle of lines between two neighbouring layers: each of its sources leads to each of its
/// targets. It has a column of its own for its vertical part, so bundles cross but never touch.
struct Bundle {
  struct Port {
    std::size_t target = 0;  ///< index of a placed node
    int row = 0;             ///< where the line arrives; no other bundle uses this row
    std::string kind;
    std::string state;  ///< unsatisfiable if one edge is, else pending if one is, else satisfied
  };
  std::vector<std::size_t> sources;  ///< indices of placed nodes
  std::vector<Port> ports;
  std::optional<std::size_t> track;  ///< its column; none for a straight line
};

struct GraphLayout {
  std::vector<PlacedNode> nodes;
  std::vector<std::vector<Bundle>> channels;  ///< [n] is between layers n and n + 1
  std::vector<std::size_t> tracks;            ///< columns in each channel
  std::size_t layers = 0;
  int rows = 0;
};

/// Lays out one component after Sugiyama, Tagawa and Toda (1981): layers by the longest path, few
/// crossings by barycentres, rows by isotonic regression. Empty for a graph with a cycle, or one
/// too large to be looked at (more than `places_max` nodes and passing lines).
std::optional<GraphLayout> lay_out(const Graph& graph, std::size_t places_max = 2000);

}  // namespace batch::cli
