package PVE::Multipath::Source::Recorded;

=head1 NAME

PVE::Multipath::Source::Recorded - a cluster in a folder with recordings

=cut

use v5.36;

use JSON::PP ();

use PVE::Multipath::File;
use PVE::Multipath::Node;

use PVE::RS::Multipath::Sections;

use base qw(PVE::Multipath::Source);

sub new($class, $dir) {
    die "'$dir' is not a folder with recordings: " . (-e $dir ? 'not a directory' : $!) . "\n"
        if !-d $dir;
    return bless { dir => $dir }, $class;
}

my sub recorded($self, $name) {
    my $raw = PVE::Multipath::File::read("$self->{dir}/$name");
    chomp $raw if defined($raw);
    return $raw;
}

my sub recorded_needed($self, $name, $what) {
    return recorded($self, $name)
        // die "the recording has no $what: '$self->{dir}/$name' is missing\n";
}

sub is_recorded($self) {
    return 1;
}

sub refresh($self) {
    return;
}

sub now($self) {
    # where no node has reported, nothing can be out of date
    return time() if !-e "$self->{dir}/now" && !-e "$self->{dir}/kv";

    my $now = recorded_needed($self, 'now', 'time');
    die "'$self->{dir}/now' is not a time in seconds\n" if $now !~ m/\A\s*(\d{1,12})\s*\z/;
    return int($1);
}

sub nodename($self) {
    my $name = recorded_needed($self, 'nodename', 'name of the local node');
    return $name =~ s/\A\s+|\s+\z//gr;
}

sub kv($self, $key) {
    my $dir = "$self->{dir}/kv/$key";
    my $names = PVE::Multipath::File::names($dir) // [];
    # editors and version control leave hidden files
    return { map { $_ => PVE::Multipath::File::read("$dir/$_") } grep { !m/^\./ } @$names };
}

sub members($self) {
    my $raw = recorded($self, 'members.json') // return undef;
    my $members = eval { JSON::PP->new()->utf8()->decode($raw) };
    die "'$self->{dir}/members.json' is not JSON: $@" if $@;
    die "'$self->{dir}/members.json' is not a JSON object\n" if ref($members) ne 'HASH';
    return $members;
}

sub nodelist($self) {
    my $members = $self->members() // {};
    return [sort keys %$members] if %$members;
    return defined(recorded($self, 'nodename')) ? [$self->nodename()] : [];
}

sub storage_ids($self) {
    return PVE::RS::Multipath::Sections::parse($self->storage_text())->{ids};
}

sub guests($self) {
    return {};
}

sub cluster_file($self, $name) {
    return PVE::Multipath::File::read("$self->{dir}/$name") // '';
}

sub lock_config($self, $code) {
    my $lock = "$self->{dir}/.$PVE::Multipath::Source::CONFIG.lock";
    my ($res) = PVE::Multipath::File::locked($lock, $code);
    return $res;
}

sub write_config($self, $cfg, $text) {
    my $path = "$self->{dir}/$PVE::Multipath::Source::CONFIG";
    PVE::Multipath::File::replace($path, $text, keep => 1);
    return;
}

sub tools_version($self) {
    return undef;
}

sub node($self, $name = undef) {
    return PVE::Multipath::Node->replay($self->{dir}, $name // $self->nodename());
}

sub node_to_plan($self, $name = undef) {
    my $dir = $self->{dir};
    return PVE::Multipath::Node->replay_nothing($dir)
        if !defined($name) && !-e "$dir/nodename" && !-e "$dir/nodes";
    return $self->node($name);
}

1;
