package PVE::Multipath::Source::Live;

=head1 NAME

PVE::Multipath::Source::Live - the cluster that this node belongs to

=cut

use v5.36;

use POSIX ();

use PVE::Multipath::File;
use PVE::Multipath::Node;

use base qw(PVE::Multipath::Source);

# A broken module must not look like a missing one.
sub load_pve($module) {
    my $file = ($module =~ s!::!/!gr) . '.pm';
    return if eval { require $file };
    die "this is not a Proxmox VE node ($module is not installed)\n"
        if $@ =~ m/^Can't locate \Q$file\E /;
    die $@;
}

sub new($class) {
    return bless {}, $class;
}

sub is_recorded($self) {
    return 0;
}

sub refresh($self) {
    PVE::Cluster::cfs_update(1);
    return;
}

sub now($self) {
    return time();
}

sub nodename($self) {
    return (POSIX::uname())[1] =~ s/\..*//sr;
}

sub kv($self, $key) {
    return PVE::Cluster::get_node_kv($key) // {};
}

sub members($self) {
    return PVE::Cluster::get_members();
}

sub nodelist($self) {
    return PVE::Cluster::get_nodelist();
}

sub storage_ids($self) {
    load_pve('PVE::Storage');
    return PVE::Storage::config()->{ids};
}

my $guest_classes = { qemu => 'PVE::QemuConfig', lxc => 'PVE::LXC::Config' };

sub guests($self) {
    my $ids = (PVE::Cluster::get_vmlist() // {})->{ids} // {};
    my $guests = {};
    for my $id (sort keys %$ids) {
        my ($type, $node) = $ids->{$id}->@{qw(type node)};
        my $class = $guest_classes->{ $type // '' } // next;
        $guests->{$id} = eval {
            load_pve($class);
            $class->load_config($id, $node);
        };
        warn "it is not known which LUNs guest $id uses: $@" if $@;
    }
    return { map { $_ => $guests->{$_} } grep { defined($guests->{$_}) } keys %$guests };
}

# While pmxcfs is not mounted, its files look absent, which does not mean empty, or are files below
# the mount point. It may go away at any time, so it has to be there after the reading.
sub cluster_file($self, $name) {
    my $raw = PVE::Multipath::File::read("$PVE::Multipath::Source::PMXCFS/$name");
    PVE::Multipath::Source::assert_mounted();
    return $raw // '';
}

sub lock_config($self, $code) {
    require PVE::Multipath::ClusterConfig;
    return PVE::Multipath::ClusterConfig::lock_config($code);
}

sub write_config($self, $cfg, $text) {
    PVE::Multipath::ClusterConfig::write_config($cfg);
    return;
}

sub tools_version($self) {
    return $self->node()->tools_version();
}

sub node($self, $name = undef) {
    return PVE::Multipath::Node->live();
}

sub node_to_plan($self, $name = undef) {
    return $self->node();
}

1;
