package PVE::RS::Multipath::Maps;
use base 'PVE::RS::Multipath';
BEGIN { __PACKAGE__->bootstrap(); }
1;
