"""One scenario under several filters, compared with the exact projection."""
