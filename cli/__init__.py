"""`diversite …`: one file a command. Only here and in `drills` is everything else seen."""
