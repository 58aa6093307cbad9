"""Workers: processes that train trials, and all that needs Ray."""
