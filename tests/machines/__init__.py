"""Fresh machines of many kinds, and the hub on each: two commands have to do on all of them."""
