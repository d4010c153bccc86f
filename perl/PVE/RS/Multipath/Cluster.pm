package PVE::RS::Multipath::Cluster;
use base 'PVE::RS::Multipath';
BEGIN { __PACKAGE__->bootstrap(); }
1;
