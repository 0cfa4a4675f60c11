"""A broker that is not there: a server that speaks Alpaca's trading protocol, and fails on request."""
