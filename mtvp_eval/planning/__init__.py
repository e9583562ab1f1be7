"""Before the data: what a region can and cannot show, and how the planned analysis behaves where the truth is known."""
