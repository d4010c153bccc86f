package PVE::RS::Multipath::Broadcast;
use base 'PVE::RS::Multipath';
BEGIN { __PACKAGE__->bootstrap(); }
1;
