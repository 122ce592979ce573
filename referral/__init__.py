"""Cases, plans, referrals, return notes, follow-ups, crisis and hotline: the loop that ends when someone has helped."""
