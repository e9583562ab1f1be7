"""From joint effects to euros per party and year: prices, ledger, net benefit and the decisions that rest on them."""
