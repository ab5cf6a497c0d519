"""Holding the record to account: is everything still what it was, and can somebody without Landed see so?"""
