package PVE::RS::Multipath::Allowlist;
use base 'PVE::RS::Multipath';
BEGIN { __PACKAGE__->bootstrap(); }
1;
