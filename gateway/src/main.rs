// The lead writes this file on branch lead; see NOTE-FROM-LEAD.md
