DROP TABLE people_here, nodes, presences;
